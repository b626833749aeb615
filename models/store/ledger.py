"""The receivables journal: append-only, double-entry, with two dates.

An entry is valid on a day (Wertstellung) and known at an instant. Its postings sum to zero per
currency; the database checks that when the transaction commits. Positive amounts are debits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.store.sql import Statement
from models.tables import JournalEntry, Posting

_POST = Statement("""
with e as (insert into journal_entry (key, kind, valid_on, known_at, case_id, description)
    values (:key, :kind, :valid_on, :known_at, :case_id, :description) returning id),
  p as (insert into posting (entry_id, account, amount, currency, customer_id, invoice_id,
      payment_id, tax_rate)
    select e.id, l.account, l.amount, :currency, l.customer_id, l.invoice_id, l.payment_id, l.rate
    from e, unnest(cast(:accounts as text[]), cast(:amounts as numeric[]),
        cast(:customers as bigint[]), cast(:invoices as bigint[]), cast(:payments as bigint[]),
        cast(:rates as numeric[])) with ordinality
      as l (account, amount, customer_id, invoice_id, payment_id, rate, n)
    order by l.n)
select id from e
""")


class Account(StrEnum):
    """The accounts of the journal (the chart of accounts comes with the accounting export)."""

    RECEIVABLES = "receivables"
    REVENUE = "revenue"
    OUTPUT_VAT = "output_vat"
    ROUNDING = "rounding"
    CLEARING = "clearing"
    UNALLOCATED = "unallocated"
    WRITE_OFFS = "write_offs"
    OPENING_BALANCE = "opening_balance"


class EntryKind(StrEnum):
    """What an entry books."""

    INVOICE_ISSUED = "invoice_issued"
    PAYMENT_RECEIVED = "payment_received"
    PAYMENT_ALLOCATED = "payment_allocated"
    PAYMENT_RELEASED = "payment_released"
    INVOICE_CANCELLED = "invoice_cancelled"
    WRITTEN_OFF = "written_off"
    OPENING_BALANCE = "opening_balance"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an entry to be posted; a zero amount is left out."""

    account: Account
    amount: Decimal
    customer_id: int | None = None
    invoice_id: int | None = None
    payment_id: int | None = None
    tax_rate: Decimal | None = None


async def post(
    session: AsyncSession,
    *,
    key: str,
    kind: EntryKind,
    valid_on: date,
    known_at: datetime,
    case_id: str | None,
    description: str,
    currency: str,
    lines: Sequence[Line],
) -> int:
    """Post an entry and return its id. The caller holds the customer's lock."""
    booked = [line for line in lines if line.amount]
    entry_id: int = await _POST.value(
        session,
        key=key,
        kind=kind,
        valid_on=valid_on,
        known_at=known_at,
        case_id=case_id,
        description=description,
        currency=currency,
        accounts=[line.account for line in booked],
        amounts=[line.amount for line in booked],
        customers=[line.customer_id for line in booked],
        invoices=[line.invoice_id for line in booked],
        payments=[line.payment_id for line in booked],
        rates=[line.tax_rate for line in booked],
    )
    return entry_id


async def postings(
    session: AsyncSession, *, customer_id: int | None = None, invoice_id: int | None = None
) -> list[tuple[JournalEntry, Posting]]:
    """Return the postings of a customer or an invoice with their entries, oldest first."""
    query = (
        select(JournalEntry, Posting)
        .join(Posting, col(Posting.entry_id) == JournalEntry.id)
        .order_by(col(JournalEntry.id), col(Posting.id))
    )
    if customer_id is not None:
        query = query.where(Posting.customer_id == customer_id)
    if invoice_id is not None:
        query = query.where(Posting.invoice_id == invoice_id)
    return [(entry, posting) for entry, posting in await session.exec(query)]
