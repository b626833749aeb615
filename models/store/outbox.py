"""What workflows still have to be told. Written with the fact, delivered by the dispatcher."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables import CaseFile, Outbox

CHANNEL = "zahltag_outbox"
START = "start"


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
    row = Outbox(case_id=case_id, signal=signal, payload=payload, created_at=at, due_at=at + after)
    session.add(row)
    await session.flush()
    if not after:
        await session.exec(select(func.pg_notify(CHANNEL, "")))
    if row.id is None:  # pragma: no cover - the flush gave it one
        raise RuntimeError("the outbox row has no id")
    return row.id


async def lease(
    session: AsyncSession, at: datetime, limit: int, duration: timedelta
) -> list[Outbox]:
    """Take up to ``limit`` rows that are due; they are nobody else's until the lease ends."""
    due = (
        select(Outbox.id)
        .where(col(Outbox.delivered_at).is_(None), col(Outbox.due_at) <= at)
        .order_by(col(Outbox.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = (
        update(Outbox)
        .where(col(Outbox.id).in_(due))
        .values(due_at=at + duration, attempts=col(Outbox.attempts) + 1)
        .returning(Outbox)
    )
    rows = (await session.exec(statement)).scalars().all()
    return sorted(rows, key=lambda row: row.id or 0)


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
    await session.exec(select(func.pg_notify(CHANNEL, "")))


async def mark_delivered(session: AsyncSession, outbox_id: int, at: datetime) -> None:
    """Note that the workflow knows it."""
    await session.exec(
        update(Outbox)
        .where(col(Outbox.id) == outbox_id, col(Outbox.delivered_at).is_(None))
        .values(delivered_at=at)
    )


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
