"""What was agreed about paying: promises and plans of instalments, and what keeps them.

An agreement remembers what was owed on which invoice when it was made. A date of it is kept as soon
as that debt has fallen by the sum agreed up to that date: so a payment keeps the oldest instalment
first, and money for a later invoice keeps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import RowMapping, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.instalments import Instalment
from models.dunning_tables import AgreedItem, PaymentAgreement, PaymentPromise
from models.store import history
from models.store.dunning.telling import case_id_of
from models.store.sql import Statement
from models.tables import OpenItem

PROMISE = "promise"
INSTALMENTS = "instalments"

_SETTLE = Statement("""
with agreed as (
    select g.id, c.customer_no, sum(i.owed) as owed,
      sum(i.owed - least(i.owed, t.open_amount)) as paid
    from payment_agreement g join customer c on c.id = g.customer_id
    join agreed_item i on i.agreement_id = g.id join open_item t using (invoice_id)
    where g.customer_id = :customer_id and g.ended_at is null group by g.id, c.customer_no),
  dates as (
    select p.id, p.status, p.number, p.kind, p.due_date, g.customer_no, g.paid,
      p.agreement_id, sum(coalesce(p.amount, g.owed)) over (order by p.number) as up_to
    from payment_promise p join agreed g on g.id = p.agreement_id),
  kept as (
    update payment_promise p set status = 'kept', settled_at = :at from dates d
    where p.id = d.id and d.status = 'open' and d.up_to <= d.paid returning p.id),
  ended as (
    update payment_agreement g set ended_at = :at, ended_as = 'kept', ended_by = :by
    where g.id in (select agreement_id from dates group by agreement_id
                   having bool_and(status = 'kept' or up_to <= paid)))
select d.kind, d.number, d.due_date, d.customer_no from dates d join kept using (id)
order by d.number
""")

_DISPUTED = Statement("""
select invoice_id from dunning_block
where invoice_id = any(:ids) and kind = 'dispute' and lifted_at is null
""")

_DATES = text("""
select p.id, p.kind, p.due_date, p.amount, p.currency, p.status, p.agreed_at, p.agreed_by,
       p.settled_at, p.agreement_id, p.number, c.customer_no, c.name
from payment_promise p join customer c on c.id = p.customer_id
order by p.status = 'open' desc, p.due_date, p.id
""")


@dataclass(frozen=True, slots=True)
class Agreement:
    """An agreement with its dates in their order."""

    row: PaymentAgreement
    dates: tuple[PaymentPromise, ...]

    @property
    def status(self) -> str:
        """Say whether it is open, or how it ended."""
        return self.row.ended_as or "open"


async def settle_kept(session: AsyncSession, customer_id: int, at: datetime) -> int:
    """Mark the agreed dates as kept whose money has arrived; return how many there were.

    The caller holds the customer's lock. One statement; it finds nothing where nothing is agreed.
    """
    kept = await _SETTLE.rows(session, customer_id=customer_id, at=at, by=history.SYSTEM)
    for row in kept:
        what = f"Instalment {row['number']}" if row["kind"] == "instalment" else "The promise"
        said = f"{what} for {row['due_date']} is kept"
        history.note(session, case_id_of(row["customer_no"]), at, "promise_kept", said)
    return len(kept)


async def current(session: AsyncSession, customer_id: int) -> Agreement | None:
    """Return the agreement that is open, or None; the caller holds the customer's lock."""
    query = select(PaymentAgreement).where(
        PaymentAgreement.customer_id == customer_id, col(PaymentAgreement.ended_at).is_(None)
    )
    row = (await session.exec(query)).one_or_none()
    return await _whole(session, row) if row else None


async def latest(session: AsyncSession, customer_id: int, kind: str) -> Agreement | None:
    """Return the last agreement of a kind, open or ended; None if there never was one."""
    query = (
        select(PaymentAgreement)
        .where(PaymentAgreement.customer_id == customer_id, PaymentAgreement.kind == kind)
        .order_by(col(PaymentAgreement.id).desc())
        .limit(1)
    )
    row = (await session.exec(query)).one_or_none()
    return await _whole(session, row) if row else None


async def owed(session: AsyncSession, customer_id: int) -> list[OpenItem]:
    """Return what a customer owes, oldest due date first; the caller holds the lock."""
    query = (
        select(OpenItem)
        .where(OpenItem.customer_id == customer_id, OpenItem.open_amount > 0)
        .order_by(col(OpenItem.due_date), col(OpenItem.invoice_id))
    )
    return list(await session.exec(query))


async def undisputed(session: AsyncSession, items: Sequence[OpenItem]) -> list[OpenItem]:
    """Return those that the customer does not dispute: nobody promises what he denies to owe."""
    ids = [item.invoice_id for item in items]
    disputed = {row["invoice_id"] for row in await _DISPUTED.rows(session, ids=ids)}
    return [item for item in items if item.invoice_id not in disputed]


async def make(
    session: AsyncSession,
    agreement: PaymentAgreement,
    dates: Sequence[Instalment] | date,
    items: Sequence[OpenItem],
) -> None:
    """Store an agreement about these open items: a plan's instalments, or one promised date."""
    session.add(agreement)
    await session.flush()
    for item in items:
        session.add(
            AgreedItem(
                agreement_id=agreement.id or 0, invoice_id=item.invoice_id, owed=item.open_amount
            )
        )
    days: list[tuple[int, date, Decimal | None]] = (
        [(1, dates, agreement.total)]
        if isinstance(dates, date)
        else [(one.number, one.due_date, one.amount) for one in dates]
    )
    for number, day, amount in days:
        session.add(
            PaymentPromise(
                customer_id=agreement.customer_id,
                kind="promise" if agreement.kind == PROMISE else "instalment",
                due_date=day,
                amount=amount,
                currency=agreement.currency,
                agreed_at=agreement.agreed_at,
                agreed_by=agreement.agreed_by,
                agreement_id=agreement.id,
                number=number,
            )
        )
    await session.flush()


def end(agreement: Agreement, *, ended_as: str, at: datetime, by: str, reason: str = "") -> None:
    """End an open agreement before it is kept: its open dates are withdrawn."""
    row = agreement.row
    row.ended_at, row.ended_as, row.ended_by, row.reason = at, ended_as, by, reason
    for one in agreement.dates:
        if one.status == "open":
            one.status, one.settled_at = "withdrawn", at


async def list_dates(session: AsyncSession) -> Sequence[RowMapping]:
    """Return every agreed date of all customers: open ones first, then by date."""
    return (await session.execute(_DATES)).mappings().all()


async def _whole(session: AsyncSession, row: PaymentAgreement) -> Agreement:
    query = (
        select(PaymentPromise)
        .where(PaymentPromise.agreement_id == row.id)
        .order_by(col(PaymentPromise.number))
    )
    return Agreement(row, tuple(await session.exec(query)))
