"""Receipts of money. A receipt is booked before anybody is told of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import ConflictError, NotFoundError
from domain.invoice import Invoice
from models.codec import read_invoice
from models.store import customers, history, ledger, outbox
from models.store.ledger import Account, EntryKind, Line
from models.store.sql import Row, Statement
from models.tables import Allocation, OpenItem, Payment

_KNOWN = Statement("""
select * from payment where transaction_id = :transaction_id
  and (provider = :provider or case_id = :case_id)
order by provider = :provider desc, id limit 1
""")
_RECEIVE = Statement("""
insert into payment (provider, transaction_id, amount, currency, unallocated, valid_on, received_at,
    source, reference, invoice_no, payer_name, payer_iban, case_id, customer_id)
  values (:provider, :transaction_id, :amount, :currency, :amount, :valid_on, :at, :source,
    :reference, :invoice_no, :payer_name, :payer_iban, :case_id, :customer_id)
on conflict do nothing returning *
""")
_WITH_INVOICE = Statement("""
select p.*, cast(i.content as text) as invoice, t.open_amount as still_open
from payment p, invoice i join open_item t on t.invoice_id = i.id
where p.id = :id and i.case_id = :case_id and i.type = '380'
""")
_RECEIVED = Statement("""
select coalesce(sum(amount), 0) from payment where case_id = :case_id and currency = :currency
""")


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
        await customers.hold(session, receipt.customer_id)
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
    found = await _KNOWN.row(
        session,
        provider=receipt.provider,
        transaction_id=receipt.transaction_id,
        case_id=receipt.case_id,
    )
    return _payment(found) if found else None


async def _insert(session: AsyncSession, receipt: Receipt, at: datetime) -> tuple[Payment, bool]:
    values = asdict(receipt)
    created = await _RECEIVE.row(session, **values, at=at)
    if created:
        return _payment(created), True
    return _payment(await _KNOWN.one(session, **values)), False


def _payment(row: Row) -> Payment:
    """Return a payment for reading; changes are made by statements."""
    return Payment(**dict(row))


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


async def received(session: AsyncSession, case_id: str, currency: str) -> Decimal:
    """Return all money that came for a case in that currency."""
    total: Decimal = await _RECEIVED.value(session, case_id=case_id, currency=currency)
    return total


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment beside the invoice of its case, and what is still open on that."""

    payment: Payment
    invoice: Invoice
    still_open: Decimal


async def with_invoice(session: AsyncSession, payment_id: int, case_id: str) -> Paid:
    """Return a payment and the invoice of its case; NotFoundError if there is none."""
    found = await _WITH_INVOICE.row(session, id=payment_id, case_id=case_id)
    if found is None:
        raise NotFoundError(f"There is no payment {payment_id} of an invoice in case {case_id}.")
    row = dict(found)
    return Paid(
        invoice=read_invoice(row.pop("invoice")),
        still_open=row.pop("still_open"),
        payment=Payment(**row),
    )


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
