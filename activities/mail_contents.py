"""What a mail of a case says: its content from the facts, as they are at the point of no return."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
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
from models.store import company, customers, documents, endings, invoices, payments
from models.tables import Customer, SalesOrder


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail ready to go: to whom, the message, and the stored document it brings."""

    recipient: str
    message: EmailMessage
    document_id: int | None


@dataclass(frozen=True, slots=True)
class _Content:
    context: MailContext
    attachments: tuple[Attachment, ...] = ()
    document_id: int | None = None


async def compose(
    session: AsyncSession, request: StepRequest, message_id: str, date: datetime
) -> Composed:
    """Make the mail from what the database says now.

    Locks the customer first: a posting to that customer is seen wholly or comes later.
    """
    firm = await company.get(session)
    query = select(SalesOrder).where(SalesOrder.case_id == request.case_id)
    order_row = (await session.exec(query)).one()
    if order_row.customer_id is None:
        raise RefusedError(f"The order of case {request.case_id} was not checked yet.")
    customer = await customers.lock(session, order_row.customer_id)
    if request.mail is MailKind.INVOICE:
        content = await _invoice(session, request, firm)
    elif request.mail is MailKind.PAYMENT_CONFIRMATION:
        content = await _confirmation(session, request, firm)
    elif request.mail is MailKind.PAYMENT_RESCUE:
        content = await _rescue(session, order_row, firm)
    elif request.mail is MailKind.CANCELLATION:
        content = await _cancellation(session, order_row, firm)
    elif request.mail is MailKind.DUE_DATE_CHANGED:
        content = await _due_date_changed(session, request, firm)
    else:
        raise RefusedError(f"There is no mail of the kind {request.mail}.")
    message = build_message(
        render_mail(content.context),
        sender=firm.email,
        sender_name=firm.name,
        to=_recipient(customer, request),
        message_id=message_id,
        case_id=request.case_id,
        date=date,
        attachments=content.attachments,
    )
    return Composed(customer.email, message, content.document_id)


def _recipient(customer: Customer, request: StepRequest) -> str:
    if not customer.email:
        raise RefusedError(
            f"Customer {customer.customer_no} of case {request.case_id} has no e-mail address."
        )
    return customer.email


async def _invoice(session: AsyncSession, request: StepRequest, firm: Company) -> _Content:
    row = await invoices.of_case(session, request.case_id)
    document = await documents.get(session, row.document_id)
    return _Content(
        InvoiceMail(firm, load_invoice(row.content)),
        (Attachment(document.filename, document.content, document.media_type),),
        row.document_id,
    )


async def _confirmation(session: AsyncSession, request: StepRequest, firm: Company) -> _Content:
    row = await invoices.of_case(session, request.case_id)
    invoice = load_invoice(row.content)
    payment = await payments.get(session, int(request.cause.removeprefix("payment-")))
    item = await invoices.open_item(session, row.id or 0)
    return _Content(
        PaymentConfirmationMail(
            company=firm,
            reader=Reader.of_invoice(invoice),
            invoice_no=row.invoice_no,
            order_no=invoice.order_reference,
            amount=payment.amount,
            currency=payment.currency,
            received_on=payment.valid_on,
            reference=payment.transaction_id,
            still_open=item.open_amount,
            surplus=payment.unallocated,
        )
    )


async def _cancellation(session: AsyncSession, row: SalesOrder, firm: Company) -> _Content:
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


async def _rescue(session: AsyncSession, row: SalesOrder, firm: Company) -> _Content:
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
