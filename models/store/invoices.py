"""Invoices: gapless numbers, immutable rows, open items."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import NotFoundError
from domain.invoice import DocumentType, Invoice
from domain.write_off import vat_shares
from models.codec import dump_invoice, load_invoice, read_invoice
from models.store import history, ledger
from models.store.dunning import agreements
from models.store.ledger import Account, EntryKind, Line
from models.store.sql import Statement
from models.tables import InvoiceRow, OpenItem

_NUMBER = Statement("""
insert into invoice_counter as c (series, year, last) values (:series, :year, :first)
on conflict (series, year) do update set last = c.last + 1 returning last
""")
# The document, the invoice and, where something is owed on it, its open item.
_STORE = Statement("""
with d as (insert into document (kind, filename, media_type, sha256, content, created_at)
    values ('invoice', :filename, 'application/pdf', :sha256, :pdf, :at) returning id),
  i as (insert into invoice (invoice_no, series, year, number, type, case_id, order_id, customer_id,
      issue_date, due_date, currency, net, tax, charged, paid_at_issue, content, document_id,
      created_at)
    select :invoice_no, :series, :year, :number, :type, :case_id, :order_id, :customer_id,
      :issue_date, :due_date, :currency, :net, :tax, :charged, :paid_at_issue, :content, d.id, :at
    from d returning *),
  t as (insert into open_item (invoice_id, invoice_no, case_id, customer_id, currency, amount,
      open_amount)
    select i.id, i.invoice_no, i.case_id, i.customer_id, i.currency, i.charged, i.charged
    from i where cast(:owed as boolean))
select id from i
""")
_SET_WITH_DOCUMENT = Statement("""
select cast(i.content as text) as content, i.document_id, d.filename, d.media_type, d.content as pdf
from invoice i join document d on d.id = i.document_id where i.case_id = :case_id and i.type = '380'
""")
_DUE_DATE = Statement("update open_item set due_date = :due_date where invoice_id = :invoice_id")
_WITH_DOCUMENT = Statement("""
select cast(i.content as text) as content, i.document_id, d.filename, d.media_type, d.content as pdf
from invoice i join document d on d.id = i.document_id where i.case_id = :case_id and i.type = '380'
""")
_SET_DUE_DATE = Statement("""
update open_item set due_date = :due_date where invoice_id = :invoice_id
""")
_TAKE_DUE_DATE = Statement("""
update open_item t set due_date = i.due_date from invoice i
where i.case_id = :case_id and i.type = '380' and t.invoice_id = i.id returning t.due_date
""")


@dataclass(frozen=True, slots=True)
class Issued:
    """An invoice or cancellation that was just issued."""

    id: int
    invoice_no: str
    case_id: str
    customer_id: int


async def next_number(session: AsyncSession, company: Company, year: int) -> int:
    """Take the next number of the company's series; the counter stays locked until the commit.

    What fails rolls the number back, so the series has no gap (par. 14 (4) no. 4 UStG asks for
    unique and sequential numbers). Lock it last: everybody who invoices waits for it.
    """
    number: int = await _NUMBER.value(
        session, series=company.invoice_series, year=year, first=company.first_invoice_number
    )
    return number


def number_text(series: str, year: int, number: int) -> str:
    """Write an invoice number: ``RE-2026-00001``."""
    return f"{series}-{year}-{number:05d}"


async def issue(
    session: AsyncSession,
    *,
    company: Company,
    case_id: str,
    order_id: int,
    customer_id: int,
    issue_date: date,
    at: datetime,
    build: Callable[[str], Invoice],
    render: Callable[[Invoice], Awaitable[bytes]],
    cancels: InvoiceRow | None = None,
) -> Issued:
    """Number, render, store and book an invoice, or the cancellation of one, in one transaction.

    The caller holds the customer's lock. ``build`` makes the invoice for a number, ``render`` its
    PDF; both run while the counter is locked, because the document bears the number.
    """
    number = await next_number(session, company, issue_date.year)
    invoice_no = number_text(company.invoice_series, issue_date.year, number)
    invoice = build(invoice_no)
    pdf = await render(invoice)
    stored = await _STORE.one(
        session,
        filename=f"{invoice_no}.pdf",
        sha256=hashlib.sha256(pdf).hexdigest(),
        pdf=pdf,
        invoice_no=invoice_no,
        series=company.invoice_series,
        year=issue_date.year,
        number=number,
        type=invoice.type,
        case_id=case_id,
        order_id=order_id,
        customer_id=customer_id,
        issue_date=invoice.issue_date,
        due_date=invoice.due_date,
        currency=invoice.currency,
        net=invoice.totals.net,
        tax=invoice.totals.tax,
        charged=invoice.totals.charged,
        paid_at_issue=invoice.totals.payable <= 0,
        content=dump_invoice(invoice),
        owed=cancels is None,
        at=at,
    )
    issued = Issued(stored["id"], invoice_no, case_id, customer_id)
    claim = (cancels.id or 0) if cancels else issued.id
    kind = EntryKind.INVOICE_CANCELLED if cancels else EntryKind.INVOICE_ISSUED
    await _post(session, issued, invoice, at, claim=claim, kind=kind)
    if cancels:
        # The claim is taken back. Payments were released before, so the whole of it is open.
        item = await open_item(session, claim)
        item.open_amount += invoice.totals.charged
        await agreements.settle_kept(session, customer_id, at)
    total = f"{invoice.totals.charged:.2f} {invoice.currency}"
    event, name = ("cancellation_created", "Cancellation") if cancels else ("invoice_created", "")
    text = f"{name} {invoice_no} over {total}" if name else f"Invoice {invoice_no} over {total}"
    history.note(session, case_id, at, event, text, invoice=issued.id)
    return issued


async def _post(
    session: AsyncSession,
    row: Issued,
    invoice: Invoice,
    at: datetime,
    *,
    claim: int,
    kind: EntryKind,
) -> None:
    """Book the figures of a document; the receivable is that of ``claim``."""
    lines = [
        Line(
            Account.RECEIVABLES,
            invoice.totals.charged,
            customer_id=row.customer_id,
            invoice_id=claim,
        ),
        Line(Account.ROUNDING, -invoice.totals.rounding, invoice_id=row.id),
    ]
    for tax in invoice.taxes:
        lines.append(Line(Account.REVENUE, -tax.taxable, invoice_id=row.id, tax_rate=tax.rate))
        lines.append(Line(Account.OUTPUT_VAT, -tax.tax, invoice_id=row.id, tax_rate=tax.rate))
    await ledger.post(
        session,
        key=f"invoice-{row.id}:issued",
        kind=kind,
        valid_on=invoice.issue_date,
        known_at=at,
        case_id=row.case_id,
        description=row.invoice_no,
        currency=invoice.currency,
        lines=lines,
    )


async def write_off(session: AsyncSession, row: InvoiceRow, at: datetime, valid_on: date) -> None:
    """Write off what is open: the loss is net, its VAT is corrected (par. 17 (2) no. 1 UStG)."""
    item, invoice = await open_item(session, row.id or 0), load_invoice(row.content)
    parts = vat_shares(item.open_amount, invoice)
    taxes = [
        Line(Account.OUTPUT_VAT, amount, invoice_id=row.id, tax_rate=rate) for rate, amount in parts
    ]
    loss = item.open_amount - sum(line.amount for line in taxes)
    await ledger.post(
        session,
        key=f"invoice-{row.id}:written-off",
        kind=EntryKind.WRITTEN_OFF,
        valid_on=valid_on,
        known_at=at,
        case_id=row.case_id,
        description=f"Write-off of {row.invoice_no}",
        currency=row.currency,
        lines=[
            Line(Account.WRITE_OFFS, loss, invoice_id=row.id),
            *taxes,
            Line(
                Account.RECEIVABLES,
                -item.open_amount,
                customer_id=row.customer_id,
                invoice_id=row.id,
            ),
        ],
    )
    text = f"{item.open_amount:.2f} {row.currency} written off"
    history.note(session, row.case_id, at, "written_off", text, invoice=row.id)
    item.open_amount = Decimal(0)
    await agreements.settle_kept(session, row.customer_id, at)


async def of_case(session: AsyncSession, case_id: str) -> InvoiceRow:
    """Return the invoice of a case; NotFoundError if it has none."""
    query = select(InvoiceRow).where(
        InvoiceRow.case_id == case_id, InvoiceRow.type == DocumentType.INVOICE.value
    )
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"The case {case_id} has no invoice yet.")
    return row


@dataclass(frozen=True, slots=True)
class Made:
    """An invoice with the document that went out, byte for byte."""

    invoice: Invoice
    document_id: int
    filename: str
    media_type: str
    pdf: bytes


async def with_document(session: AsyncSession, case_id: str) -> Made:
    """Return the invoice of a case with its document; NotFoundError if it has none."""
    row = await _WITH_DOCUMENT.row(session, case_id=case_id)
    if row is None:
        raise NotFoundError(f"The case {case_id} has no invoice yet.")
    invoice = read_invoice(row["content"])
    return Made(invoice, row["document_id"], row["filename"], row["media_type"], row["pdf"])


async def cancellation_of(session: AsyncSession, case_id: str) -> InvoiceRow | None:
    """Return the cancellation invoice of a case, if there is one."""
    query = select(InvoiceRow).where(
        InvoiceRow.case_id == case_id, InvoiceRow.type == DocumentType.CANCELLATION.value
    )
    return (await session.exec(query)).one_or_none()


async def get(session: AsyncSession, invoice_no: str) -> InvoiceRow:
    """Return an invoice by its number; NotFoundError if there is none."""
    query = select(InvoiceRow).where(InvoiceRow.invoice_no == invoice_no)
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no invoice {invoice_no}.")
    return row


async def open_item(session: AsyncSession, invoice_id: int) -> OpenItem:
    """Return the open item of an invoice."""
    return (await session.exec(select(OpenItem).where(OpenItem.invoice_id == invoice_id))).one()


async def set_due_date(session: AsyncSession, invoice_id: int, due_date: date) -> None:
    """Record when the open item is due."""
    await _SET_DUE_DATE.run(session, invoice_id=invoice_id, due_date=due_date)


async def take_due_date(session: AsyncSession, case_id: str) -> date:
    """Let what is open on a case's invoice be due when the invoice says; return that day."""
    due: date | None = await _TAKE_DUE_DATE.value(session, case_id=case_id)
    if due is None:
        raise NotFoundError(f"The case {case_id} has no invoice yet.")
    return due
