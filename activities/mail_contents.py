"""What a mail of a case says: its content from the facts, as they are at the point of no return."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from email.message import EmailMessage

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from documents.mails import (
    Attachment,
    CancellationMail,
    DueDateChangedMail,
    InvoiceMail,
    MailContext,
    PaymentConfirmationMail,
    PaymentRescueMail,
    Reader,
    build_message,
    render_mail,
)
from domain.company import Company
from domain.errors import RefusedError
from domain.invoicing import document_language
from domain.order_case import MailKind
from models.codec import load_invoice, load_order
from models.messages import StepRequest
from models.store import documents, endings, invoices, payments
from models.store.mails import Addressee
from models.tables import SalesOrder


@dataclass(frozen=True, slots=True)
class _Content:
    context: MailContext
    attachments: tuple[Attachment, ...] = ()
    document_id: int | None = None


async def compose(
    session: AsyncSession, request: StepRequest, to: Addressee, message_id: str
) -> tuple[EmailMessage, int | None]:
    """Make the mail from what the database says now; return it and the document that it brings.

    The caller holds the customer's lock: a posting to that customer is seen wholly or comes later.
    """
    content = await _content(session, request, to.company)
    if not to.email:
        raise RefusedError(
            f"Customer {to.customer_no} of case {request.case_id} has no e-mail address."
        )
    message = build_message(
        render_mail(content.context),
        sender=to.company.email,
        sender_name=to.company.name,
        to=to.email,
        message_id=message_id,
        case_id=request.case_id,
        date=request.at,
        attachments=content.attachments,
    )
    return message, content.document_id


async def _content(session: AsyncSession, request: StepRequest, firm: Company) -> _Content:
    if request.mail is MailKind.INVOICE:
        return await _invoice(session, request, firm)
    if request.mail is MailKind.PAYMENT_CONFIRMATION:
        return await _confirmation(session, request, firm)
    if request.mail is MailKind.PAYMENT_RESCUE:
        return await _rescue(session, request, firm)
    if request.mail is MailKind.CANCELLATION:
        return await _cancellation(session, request, firm)
    if request.mail is MailKind.DUE_DATE_CHANGED:
        return await _due_date_changed(session, request, firm)
    raise RefusedError(f"There is no mail of the kind {request.mail}.")


async def _order(session: AsyncSession, case_id: str) -> SalesOrder:
    query = select(SalesOrder).where(SalesOrder.case_id == case_id)
    return (await session.exec(query)).one()


async def _invoice(session: AsyncSession, request: StepRequest, firm: Company) -> _Content:
    made = await invoices.with_document(session, request.case_id)
    return _Content(
        InvoiceMail(firm, made.invoice),
        (Attachment(made.filename, made.pdf, made.media_type),),
        made.document_id,
    )


async def _confirmation(session: AsyncSession, request: StepRequest, firm: Company) -> _Content:
    payment_id = int(request.cause.removeprefix("payment-"))
    paid = await payments.with_invoice(session, payment_id, request.case_id)
    return _Content(
        PaymentConfirmationMail(
            company=firm,
            reader=Reader.of_invoice(paid.invoice),
            invoice_no=paid.invoice.number,
            order_no=paid.invoice.order_reference,
            amount=paid.payment.amount,
            currency=paid.payment.currency,
            received_on=paid.payment.valid_on,
            reference=paid.payment.transaction_id,
            still_open=paid.still_open,
            surplus=paid.payment.unallocated,
        )
    )


async def _cancellation(session: AsyncSession, request: StepRequest, firm: Company) -> _Content:
    row = await _order(session, request.case_id)
    order = load_order(row.content)
    received = await payments.received(session, row.case_id, row.currency)
    cancelled = await invoices.cancellation_of(session, row.case_id)
    context = CancellationMail(
        company=firm,
        reader=Reader.of_order(order, document_language(order)),
        order_no=order.order_no,
        currency=order.currency,
        refund=received,
    )
    if cancelled is None:
        return _Content(context)
    document = await documents.get(session, cancelled.document_id)
    original = await invoices.of_case(session, row.case_id)
    return _Content(
        replace(context, invoice_no=original.invoice_no, cancellation_no=cancelled.invoice_no),
        (Attachment(document.filename, document.content, document.media_type),),
        cancelled.document_id,
    )


async def _due_date_changed(session: AsyncSession, request: StepRequest, firm: Company) -> _Content:
    change = await endings.change(session, int(request.cause.removeprefix("extension-")))
    row = await invoices.of_case(session, request.case_id)
    invoice = load_invoice(row.content)
    item = await invoices.open_item(session, row.id or 0)
    return _Content(
        DueDateChangedMail(
            company=firm,
            reader=Reader.of_invoice(invoice),
            invoice_no=row.invoice_no,
            order_no=invoice.order_reference,
            amount=item.open_amount,
            currency=row.currency,
            previous=change.previous,
            due_date=change.due_date,
        )
    )


async def _rescue(session: AsyncSession, request: StepRequest, firm: Company) -> _Content:
    row = await _order(session, request.case_id)
    order = load_order(row.content)
    received = await payments.received(session, row.case_id, row.currency)
    return _Content(
        PaymentRescueMail(
            company=firm,
            reader=Reader.of_order(order, document_language(order)),
            order_no=order.order_no,
            amount=max(order.total - received, Decimal(0)),
            currency=order.currency,
        )
    )
