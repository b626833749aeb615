"""Invoices: gapless numbers, immutable rows, open items."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import NotFoundError
from domain.invoice import DocumentType, Invoice
from domain.write_off import vat_shares
from models.codec import dump_invoice, load_invoice
from models.store import documents, history, ledger
from models.store.ledger import Account, EntryKind, Line
from models.tables import InvoiceCounter, InvoiceRow, OpenItem


async def next_number(session: AsyncSession, company: Company, year: int) -> int:
    """Take the next number of the company's series; the counter stays locked until the commit.

    What fails rolls the number back, so the series has no gap (par. 14 (4) no. 4 UStG asks for
    unique and sequential numbers). Lock it last: everybody who invoices waits for it.
    """
    series, first = company.invoice_series, company.first_invoice_number
    statement = (
        insert(InvoiceCounter)
        .values(series=series, year=year, last=first)
        .on_conflict_do_update(
            index_elements=["series", "year"], set_={"last": InvoiceCounter.last + 1}
        )
        .returning(col(InvoiceCounter.last))
    )
    number: int = (await session.exec(statement)).scalar_one()
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
) -> InvoiceRow:
    """Number, render, store and book an invoice, or the cancellation of one, in one transaction.

    The caller holds the customer's lock. ``build`` makes the invoice for a number, ``render`` its
    PDF; both run while the counter is locked, because the document bears the number.
    """
    number = await next_number(session, company, issue_date.year)
    invoice_no = number_text(company.invoice_series, issue_date.year, number)
    invoice = build(invoice_no)
    document_id = await documents.add(
        session,
        kind="invoice",
        filename=f"{invoice_no}.pdf",
        media_type="application/pdf",
        content=await render(invoice),
        at=at,
    )
    row = InvoiceRow(
        invoice_no=invoice_no,
        series=company.invoice_series,
        year=issue_date.year,
        number=number,
        type=invoice.type.value,
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
        document_id=document_id,
        created_at=at,
    )
    session.add(row)
    await session.flush()
    await (_book_cancellation if cancels else _book)(session, row, invoice, at, cancels)
    total = f"{invoice.totals.charged:.2f} {invoice.currency}"
    event, name = ("cancellation_created", "Cancellation") if cancels else ("invoice_created", "")
    text = f"{name} {invoice_no} over {total}" if name else f"Invoice {invoice_no} over {total}"
    history.note(session, case_id, at, event, text, invoice=row.id)
    return row


async def _book(
    session: AsyncSession, row: InvoiceRow, invoice: Invoice, at: datetime, _: InvoiceRow | None
) -> None:
    await _post(session, row, invoice, at, claim=row, kind=EntryKind.INVOICE_ISSUED)
    session.add(
        OpenItem(
            invoice_id=row.id or 0,
            invoice_no=row.invoice_no,
            case_id=row.case_id,
            customer_id=row.customer_id,
            currency=row.currency,
            amount=row.charged,
            open_amount=row.charged,
        )
    )
    await session.flush()


async def _book_cancellation(
    session: AsyncSession,
    row: InvoiceRow,
    invoice: Invoice,
    at: datetime,
    cancelled: InvoiceRow | None,
) -> None:
    """Take the claim back. Payments were released before, so the whole of it is open."""
    claim = cancelled or row
    await _post(session, row, invoice, at, claim=claim, kind=EntryKind.INVOICE_CANCELLED)
    item = await open_item(session, claim.id or 0)
    item.open_amount += invoice.totals.charged
    await session.flush()


async def _post(
    session: AsyncSession,
    row: InvoiceRow,
    invoice: Invoice,
    at: datetime,
    *,
    claim: InvoiceRow,
    kind: EntryKind,
) -> None:
    """Book the figures of a document; the receivable is that of ``claim``."""
    lines = [
        Line(
            Account.RECEIVABLES,
            invoice.totals.charged,
            customer_id=row.customer_id,
            invoice_id=claim.id,
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
        valid_on=row.issue_date,
        known_at=at,
        case_id=row.case_id,
        description=f"{row.invoice_no}",
        currency=row.currency,
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


async def of_case(session: AsyncSession, case_id: str) -> InvoiceRow:
    """Return the invoice of a case; NotFoundError if it has none."""
    query = select(InvoiceRow).where(
        InvoiceRow.case_id == case_id, InvoiceRow.type == DocumentType.INVOICE.value
    )
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"The case {case_id} has no invoice yet.")
    return row


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
    await session.exec(
        update(OpenItem).where(col(OpenItem.invoice_id) == invoice_id).values(due_date=due_date)
    )
