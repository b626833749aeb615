"""What a payment settles: allocations to the claim of its case, and their release."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.matching import settle
from models.store import ledger
from models.store.dunning import agreements
from models.store.ledger import Account, EntryKind, Line
from models.store.sql import Statement
from models.tables import Allocation, OpenItem, Payment

# The claim needs no lock of its own: the customer's covers it.
_LOCK_WITH_CLAIM = Statement("""
select p.*, t.invoice_id as claim_invoice_id, t.invoice_no as claim_invoice_no,
  t.customer_id as claim_customer_id, t.currency as claim_currency,
  t.open_amount as claim_open_amount
from payment p left join open_item t on t.case_id = :case_id where p.id = :id for no key update of p
""")
_ALLOCATE = Statement("""
with a as (insert into allocation (payment_id, invoice_id, entry_id, amount, currency)
    values (:id, :invoice_id, :entry_id, :amount, :currency)),
  t as (update open_item set open_amount = open_amount - :amount where invoice_id = :invoice_id)
update payment set unallocated = unallocated - :amount, reconciled_at = coalesce(reconciled_at, :at)
where id = :id
returning exists (select from payment_agreement g
  where g.customer_id = :customer_id and g.ended_at is null) as agreed
""")
_LOOKED_AT = Statement("""
update payment set reconciled_at = coalesce(reconciled_at, :at) where id = :id
""")


@dataclass(frozen=True, slots=True)
class _Claim:
    """What is open on the invoice of a case; nothing where there is none."""

    invoice_id: int
    invoice_no: str
    customer_id: int
    currency: str
    open_amount: Decimal


async def reconcile(
    session: AsyncSession, payment_id: int, case_id: str, at: datetime
) -> tuple[Payment, Decimal]:
    """Settle the case's open item with a payment as far as it goes; return the amount settled.

    The caller holds the customer's lock. What is left over stays unallocated, on account.
    """
    row = dict(await _LOCK_WITH_CLAIM.one(session, id=payment_id, case_id=case_id))
    claim = _Claim(*(row.pop(f"claim_{name.name}") for name in fields(_Claim)))
    payment = Payment(**row)
    amount = Decimal(0)
    if claim.invoice_id is not None:
        amount = settle(
            owed=claim.open_amount,
            owed_currency=claim.currency,
            received=payment.unallocated,
            received_currency=payment.currency,
        )
    if amount <= 0:
        await _LOOKED_AT.run(session, id=payment_id, at=at)
        return payment, amount
    entry_id = await ledger.post(
        session,
        key=f"payment-{payment.id}:allocated:{claim.invoice_no}",
        kind=EntryKind.PAYMENT_ALLOCATED,
        valid_on=payment.valid_on,
        known_at=at,
        case_id=case_id,
        description=f"Payment settles {claim.invoice_no}",
        currency=claim.currency,
        lines=_settlement(payment, claim, amount),
    )
    agreed = await _ALLOCATE.value(
        session,
        id=payment_id,
        customer_id=claim.customer_id,
        invoice_id=claim.invoice_id,
        entry_id=entry_id,
        amount=amount,
        currency=claim.currency,
        at=at,
    )
    if agreed:
        await agreements.settle_kept(session, claim.customer_id, at)
    return payment, amount


async def release(session: AsyncSession, item: OpenItem, at: datetime, valid_on: date) -> None:
    """Take every payment off a claim that is cancelled; the money is on account again.

    The caller holds the customer's lock.
    """
    query = (
        select(Allocation.payment_id, func.sum(Allocation.amount))
        .where(Allocation.invoice_id == item.invoice_id)
        .group_by(col(Allocation.payment_id))
        .having(func.sum(Allocation.amount) > 0)
        .order_by(col(Allocation.payment_id))
    )
    for payment_id, amount in (await session.exec(query)).all():
        locked = select(Payment).where(Payment.id == payment_id).with_for_update(key_share=True)
        payment = (await session.exec(locked)).one()
        entry_id = await ledger.post(
            session,
            key=f"payment-{payment_id}:released:{item.invoice_no}",
            kind=EntryKind.PAYMENT_RELEASED,
            valid_on=valid_on,
            known_at=at,
            case_id=item.case_id,
            description=f"Payment is released from {item.invoice_no}",
            currency=item.currency,
            lines=_settlement(payment, item, -amount),
        )
        session.add(
            Allocation(
                payment_id=payment_id,
                invoice_id=item.invoice_id,
                entry_id=entry_id,
                amount=-amount,
                currency=item.currency,
            )
        )
        payment.unallocated += amount
        item.open_amount += amount


def _settlement(payment: Payment, item: OpenItem | _Claim, amount: Decimal) -> list[Line]:
    """Return the lines that move an amount from the payment to the claim; negative: back."""
    return [
        Line(Account.UNALLOCATED, amount, customer_id=payment.customer_id, payment_id=payment.id),
        Line(
            Account.RECEIVABLES,
            -amount,
            customer_id=item.customer_id,
            invoice_id=item.invoice_id,
            payment_id=payment.id,
        ),
    ]
