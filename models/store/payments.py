"""Receipts of money and what they settle. A receipt is booked before anybody is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import ConflictError, NotFoundError
from domain.matching import settle
from models.store import customers, history, ledger, outbox
from models.store.ledger import Account, EntryKind, Line
from models.tables import Allocation, OpenItem, Payment


@dataclass(frozen=True, slots=True)
class Receipt:
    """Money that came in: who moved it (``provider`` + ``transaction_id``), how much, when."""

    provider: str
    transaction_id: str
    amount: Decimal
    currency: str
    valid_on: date
    source: str
    reference: str = ""
    invoice_no: str = ""
    payer_name: str = ""
    payer_iban: str = ""
    case_id: str | None = None
    customer_id: int | None = None


async def receive(
    session: AsyncSession, receipt: Receipt, at: datetime, *, by: str
) -> tuple[Payment, bool]:
    """Book a receipt and tell its case; return the payment and whether it is new.

    The shop's word, the provider's event and a person's entry about one transaction are one
    payment. The same transaction with another amount is a ConflictError: nothing is guessed.
    """
    if receipt.customer_id is not None:
        await customers.lock(session, receipt.customer_id)
    known = await _known(session, receipt)
    if known is None:
        known, created = await _insert(session, receipt, at)
        if created:
            await _book(session, known, at, by)
            return known, True
    other_case = None not in {known.case_id, receipt.case_id} and known.case_id != receipt.case_id
    if (known.amount, known.currency) != (receipt.amount, receipt.currency) or other_case:
        raise ConflictError(
            f"The payment {receipt.transaction_id} is known with {known.amount:.2f}"
            f" {known.currency}{f' for {known.invoice_no}' if known.invoice_no else ''}, not"
            f" {receipt.amount:.2f} {receipt.currency}"
            f"{f' for {receipt.invoice_no}' if receipt.invoice_no else ''}. Nothing was changed."
        )
    return known, False


async def _known(session: AsyncSession, receipt: Receipt) -> Payment | None:
    """Find the same transaction: of the same provider, or told by another for the same case."""
    query = select(Payment).where(Payment.transaction_id == receipt.transaction_id)
    same = list(await session.exec(query))
    exact = [p for p in same if p.provider == receipt.provider]
    told = [p for p in same if p.case_id is not None and p.case_id == receipt.case_id]
    return next(iter(exact or told), None)


async def _insert(session: AsyncSession, receipt: Receipt, at: datetime) -> tuple[Payment, bool]:
    values = {
        "provider": receipt.provider,
        "transaction_id": receipt.transaction_id,
        "amount": receipt.amount,
        "currency": receipt.currency,
        "unallocated": receipt.amount,
        "valid_on": receipt.valid_on,
        "received_at": at,
        "source": receipt.source,
        "reference": receipt.reference,
        "invoice_no": receipt.invoice_no,
        "payer_name": receipt.payer_name,
        "payer_iban": receipt.payer_iban,
        "case_id": receipt.case_id,
        "customer_id": receipt.customer_id,
    }
    statement = insert(Payment).values(**values).on_conflict_do_nothing().returning(col(Payment.id))
    payment_id = (await session.exec(statement)).scalar_one_or_none()
    query = select(Payment).where(
        Payment.provider == receipt.provider, Payment.transaction_id == receipt.transaction_id
    )
    return (await session.exec(query)).one(), payment_id is not None


async def _book(session: AsyncSession, payment: Payment, at: datetime, by: str) -> None:
    await ledger.post(
        session,
        key=f"payment-{payment.id}:received",
        kind=EntryKind.PAYMENT_RECEIVED,
        valid_on=payment.valid_on,
        known_at=at,
        case_id=payment.case_id,
        description=f"Receipt by {payment.provider}",
        currency=payment.currency,
        lines=[
            Line(Account.CLEARING, payment.amount, payment_id=payment.id),
            Line(
                Account.UNALLOCATED,
                -payment.amount,
                customer_id=payment.customer_id,
                payment_id=payment.id,
            ),
        ],
    )
    if payment.case_id is None:
        return
    text = f"{payment.amount:.2f} {payment.currency} received ({payment.source})"
    history.note(session, payment.case_id, at, "payment_received", text, by, payment=payment.id)
    await outbox.tell(session, payment.case_id, "payment_received", at, payment_id=payment.id)


async def lock(session: AsyncSession, payment_id: int) -> Payment:
    """Lock a payment's row until the transaction ends and return it."""
    query = select(Payment).where(Payment.id == payment_id).with_for_update()
    return (await session.exec(query)).one()


async def allocate(session: AsyncSession, payment: Payment, case_id: str, at: datetime) -> Decimal:
    """Settle the case's open item with a payment as far as it goes; return the amount settled.

    The caller holds the locks of the customer and the payment. What is left over stays
    unallocated, on account.
    """
    item = (
        await session.exec(select(OpenItem).where(OpenItem.case_id == case_id).with_for_update())
    ).one_or_none()
    payment.reconciled_at = payment.reconciled_at or at
    if item is None:
        return Decimal(0)
    amount = settle(
        owed=item.open_amount,
        owed_currency=item.currency,
        received=payment.unallocated,
        received_currency=payment.currency,
    )
    if amount <= 0:
        return amount
    entry_id = await ledger.post(
        session,
        key=f"payment-{payment.id}:allocated:{item.invoice_no}",
        kind=EntryKind.PAYMENT_ALLOCATED,
        valid_on=payment.valid_on,
        known_at=at,
        case_id=case_id,
        description=f"Payment settles {item.invoice_no}",
        currency=item.currency,
        lines=_settlement(payment, item, amount),
    )
    session.add(
        Allocation(
            payment_id=payment.id or 0,
            invoice_id=item.invoice_id,
            entry_id=entry_id,
            amount=amount,
            currency=item.currency,
        )
    )
    payment.unallocated -= amount
    item.open_amount -= amount
    return amount


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
        payment = await lock(session, payment_id)
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


def _settlement(payment: Payment, item: OpenItem, amount: Decimal) -> list[Line]:
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


async def received(session: AsyncSession, case_id: str, currency: str) -> Decimal:
    """Return all money that came for a case in that currency."""
    query = select(col(Payment.amount)).where(
        Payment.case_id == case_id, Payment.currency == currency
    )
    return sum(await session.exec(query), Decimal(0))


async def last_receipt_day(session: AsyncSession, case_id: str, currency: str) -> date | None:
    """Return the day the last money for a case arrived; None if there was none."""
    query = select(func.max(Payment.valid_on)).where(
        Payment.case_id == case_id, Payment.currency == currency
    )
    return (await session.exec(query)).one()


async def get(session: AsyncSession, payment_id: int) -> Payment:
    """Return a payment; NotFoundError if there is none."""
    payment = await session.get(Payment, payment_id)
    if payment is None:
        raise NotFoundError(f"There is no payment {payment_id}.")
    return payment


async def list_all(session: AsyncSession) -> list[Payment]:
    """Return all payments, oldest first."""
    return list(await session.exec(select(Payment).order_by(col(Payment.id))))


async def allocations(session: AsyncSession) -> dict[int, list[tuple[str, Decimal]]]:
    """Return what each payment settled: payment id -> (invoice number, amount)."""
    query = (
        select(col(Allocation.payment_id), col(OpenItem.invoice_no), col(Allocation.amount))
        .join(OpenItem, col(OpenItem.invoice_id) == Allocation.invoice_id)
        .order_by(col(Allocation.id))
    )
    found: dict[int, list[tuple[str, Decimal]]] = {}
    for payment_id, invoice_no, amount in await session.exec(query):
        found.setdefault(payment_id, []).append((invoice_no, amount))
    return found
