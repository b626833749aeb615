"""What workflows still have to be told. Written with the fact, delivered by the dispatcher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.codec import Json
from models.messages import GENERATION, CaseStart
from models.store.sql import Row, Statement
from models.tables import CaseFile, Outbox

CHANNEL = "zahltag_outbox"
START = "start"
# The cause of what can wait: a change of the rules, which every open dunning case is told of.
RULES = "rules"

_TELL = Statement("""
insert into outbox (case_id, signal, payload, created_at, due_at, attempts, last_error)
  values (:case_id, :signal, :payload, :at, :due_at, 0, '') returning id
""")
_WAKE = Statement(f"select pg_notify('{CHANNEL}', '')")
_LEASE = Statement(f"""
with due as (select id from outbox where delivered_at is null and due_at <= :at
    order by payload ->> 'outbox_id' is not distinct from '{RULES}', id
    limit :limit for update skip locked),
  leased as (update outbox o set due_at = :until, attempts = o.attempts + 1 from due
    where o.id = due.id returning o.id, o.case_id, o.signal, o.payload, o.attempts)
select l.*, o.channel, o.order_no, o.revision,
  l.payload ->> 'outbox_id' is not distinct from '{RULES}' and exists (select from case_file f
    where f.id = l.case_id and f.closed_at is not null) as too_late
from leased l left join sales_order o using (case_id) order by l.id
""")  # noqa: S608 - a constant of ours
_DELIVERED = Statement("""
update outbox set delivered_at = :at where id = any(:ids) and delivered_at is null
""")


@dataclass(frozen=True, slots=True)
class Leased:
    """A row that one dispatcher delivers now; ``attempts`` counts this one too.

    ``start`` is what the workflow of an order's case is started with where it does not run; None
    where there is no such case (yet), and for other kinds of cases. ``too_late``: what can wait has
    waited until the case was closed; it is not brought back for that.
    """

    id: int
    case_id: str
    signal: str
    payload: Json
    attempts: int
    start: CaseStart | None
    too_late: bool = False


async def tell(
    session: AsyncSession,
    case_id: str,
    signal: str,
    at: datetime,
    *,
    after: timedelta = timedelta(0),
    **payload: Any,  # noqa: ANN401 - ids only
) -> int:
    """Queue a signal for the case's workflow; it leaves when this transaction commits.

    ``after`` delays it: for a command that is also sent directly, as a safety net.
    """
    outbox_id: int = await _TELL.value(
        session, case_id=case_id, signal=signal, payload=payload, at=at, due_at=at + after
    )
    if not after:
        wake(session)
    return outbox_id


def wake(session: AsyncSession) -> None:
    """Let the dispatcher look at once when this transaction commits."""
    _WAKE.at_the_end(session)


async def lease(
    session: AsyncSession, at: datetime, limit: int, duration: timedelta
) -> list[Leased]:
    """Take up to ``limit`` rows that are due; they are nobody else's until the lease ends."""
    rows = await _LEASE.rows(session, at=at, until=at + duration, limit=limit)
    return [
        Leased(
            row["id"],
            row["case_id"],
            row["signal"],
            row["payload"],
            row["attempts"],
            _start(row) if row["order_no"] is not None else None,
            too_late=row["too_late"],
        )
        for row in rows
    ]


def _start(row: Row) -> CaseStart:
    return CaseStart(
        case_id=row["case_id"],
        channel=row["channel"],
        order_no=row["order_no"],
        revision=row["revision"],
        generation=GENERATION,
    )


async def postpone(session: AsyncSession, outbox_id: int, until: datetime, error: str) -> None:
    """Try a row again later, and remember why it was not delivered."""
    await session.exec(
        update(Outbox)
        .where(col(Outbox.id) == outbox_id)
        .values(due_at=until, last_error=error[:500])
    )


async def hurry(session: AsyncSession, outbox_id: int, at: datetime) -> None:
    """Deliver a row now that was meant as a safety net for later."""
    await session.exec(update(Outbox).where(col(Outbox.id) == outbox_id).values(due_at=at))
    wake(session)


async def mark_delivered(session: AsyncSession, outbox_ids: Sequence[int], at: datetime) -> None:
    """Note that the workflows know these."""
    await _DELIVERED.run(session, ids=outbox_ids, at=at)


async def open_cases(session: AsyncSession, before: datetime) -> list[str]:
    """Return the ids of all cases that are not closed and were opened before an instant."""
    query = (
        select(CaseFile.id)
        .where(col(CaseFile.closed_at).is_(None), col(CaseFile.opened_at) < before)
        .order_by(col(CaseFile.opened_at))
    )
    return list(await session.exec(query))


async def tell_forgotten_payments(session: AsyncSession, at: datetime) -> int:
    """Queue payments again that a case was told of ten minutes ago and has not looked at."""
    connection = await session.connection()
    found = (await connection.execute(_FORGOTTEN, {"before": at - timedelta(minutes=10)})).all()
    for case_id, payment_id in found:
        await tell(session, case_id, "payment_received", at, payment_id=payment_id)
    return len(found)


_FORGOTTEN = text("""
select p.case_id, p.id from payment p join case_file f on f.id = p.case_id
where p.reconciled_at is null and p.received_at < :before
  and (f.invoice_no is not null or f.closed_at is not null)
  and not exists (select from outbox o where o.case_id = p.case_id
                  and o.signal = 'payment_received' and o.payload ->> 'payment_id' = p.id::text
                  and (o.delivered_at is null or o.delivered_at > :before))
""")
