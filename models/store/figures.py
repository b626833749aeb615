"""What the metrics show of the database: counts and ages, by indexes of what is open alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass(frozen=True, slots=True)
class Figures:
    """How much is open, and how old the oldest of it is. Ages are seconds, 0 if there is none."""

    open_cases: dict[str, int]
    needing_attention: int
    outbox_due: int
    outbox_lag: float
    outbox_oldest: float
    approvals_pending: int
    exceptions_open: int
    tasks_open: int


async def read(session: AsyncSession, at: datetime) -> Figures:
    """Read all figures in two statements."""
    connection = await session.connection()
    cases = (await connection.execute(_CASES)).all()
    rest = (await connection.execute(_REST, {"at": at})).one()
    return Figures(
        open_cases={row.status: row.number for row in cases},
        needing_attention=sum(row.attention for row in cases),
        outbox_due=rest.due,
        outbox_lag=float(rest.lag),
        outbox_oldest=float(rest.oldest),
        approvals_pending=rest.approvals,
        exceptions_open=rest.exceptions,
        tasks_open=rest.tasks,
    )


_CASES = text("""
select status, count(*) as number, count(*) filter (where needs_attention) as attention
from case_file where closed_at is null group by status
""")

# A row that is not due yet is a command's safety net, waits for its turn, or for its next attempt:
# that it waits is no lag, but that it grows old over its attempts is worth knowing.
_REST = text("""
select count(*) filter (where due_at <= :at) as due,
       coalesce(extract(epoch from :at - min(due_at) filter (where due_at <= :at)), 0) as lag,
       greatest(coalesce(extract(epoch from :at - min(created_at)
         filter (where due_at <= :at or attempts > 0)), 0), 0) as oldest,
       (select count(*) from approval where status = 'pending') as approvals,
       (select count(*) from case_exception where resolved_at is null) as exceptions,
       (select count(*) from task where status = 'open') as tasks
from outbox where delivered_at is null
""")
