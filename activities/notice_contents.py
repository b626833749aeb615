"""What a notice says: mail or letter from the facts, as they are at the point of no return."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.letters import Letter
from documents.mail_message import Attachment, build_message
from documents.notice_letter import NoticeLetter, render_notice_letter
from documents.notice_mail import kind_of, render_notice_mail
from domain.company import Company
from domain.dunning.notice import (
    INSTALMENT_REMINDER,
    AgreedPayment,
    Notice,
    NoticeLine,
    Recipient,
    deadline_of,
)
from domain.errors import RefusedError
from domain.order import CustomerKind
from models.codec import load_address
from models.dunning_tables import DunningNotice
from models.store import company, documents
from models.store.dunning import notices, reminders
from models.store.dunning.notices import DueItem
from models.tables import Customer


@dataclass(frozen=True, slots=True)
class Made:
    """A finished notice, mail or letter, and what it says."""

    kind: str
    finished: EmailMessage | Letter
    items: tuple[DueItem, ...]
    amount: Decimal
    document_id: int


async def compose(
    session: AsyncSession,
    customer: Customer,
    notice: DunningNotice,
    *,
    case_id: str,
    message_id: str,
    made_before: int | None,
    templates: Path | None,
    at: datetime,
    on: date,
) -> Made:
    """Make the notice of a local day from what the database says now, and keep its document.

    ``made_before`` is the document of an attempt that did not arrive: with the same bytes it is
    kept. The caller holds the customer's lock: a posting to that customer is seen wholly or comes
    later.
    RefusedError if the customer has no address of that kind, or a text of the user's is broken.
    """
    firm = await company.get(session)
    items = await _items(session, notice, on)
    content = await _notice(session, customer, notice, items, firm, on)
    printed = await asyncio.to_thread(render_notice_letter, content, firm, templates=templates)
    document_id = await documents.keep(
        session,
        kind="notice",
        filename=f"{content.reference}.pdf",
        content=printed.pdf,
        at=at,
        known=made_before,
    )
    finished: EmailMessage | Letter
    if notice.channel == "letter":
        finished = _letter(customer, notice.id or 0, content, printed, at)
    else:
        finished = build_message(
            render_notice_mail(content, firm, attached=True, templates=templates),
            sender=firm.email,
            sender_name=firm.name,
            to=_mail_address(customer),
            message_id=message_id,
            case_id=case_id,
            date=at,
            attachments=(Attachment(f"{content.reference}.pdf", printed.pdf),),
        )
    return Made(kind_of(content), finished, items, content.payable, document_id)


async def _items(session: AsyncSession, notice: DunningNotice, on: date) -> tuple[DueItem, ...]:
    """Return the invoices that it lists: the overdue ones, in a reminder all that are open."""
    reminds = notice.template == INSTALMENT_REMINDER
    due = await notices.due_items(session, notice.customer_id, on, every=reminds)
    return tuple(item for item in due if item.currency == notice.currency)


async def _notice(
    session: AsyncSession,
    customer: Customer,
    notice: DunningNotice,
    items: tuple[DueItem, ...],
    firm: Company,
    on: date,
) -> Notice:
    address = load_address(customer.address)
    by_letter = notice.channel == "letter"
    agreed: tuple[AgreedPayment, ...] = ()
    if notice.template == INSTALMENT_REMINDER:
        agreed, _ = await reminders.agreed(session, notice.customer_id, on)
    return Notice(
        reference=f"M-{notice.id}",
        template=notice.template,
        level=notice.level,
        recipient=Recipient(
            customer.customer_no,
            customer.name,
            address,
            CustomerKind(customer.kind),
            customer.language or firm.language,
        ),
        lines=tuple(
            NoticeLine(
                item.invoice_no,
                item.issue_date,
                item.due_date,
                item.open_amount,
                item.currency,
                item.notices_before,
            )
            for item in items
        ),
        sent_on=on,
        deadline=deadline_of(
            notice.template, on, address, firm.address, by_letter=by_letter, agreed=agreed
        ),
        registered_mail=notice.registered_mail and by_letter,
        agreed=agreed,
    )


def _mail_address(customer: Customer) -> str:
    if not customer.email:
        raise RefusedError(f"Customer {customer.customer_no} has no e-mail address.")
    return customer.email


def reference_of(notice_id: int) -> str:
    """Return under which name a letter service knows a notice, for ever."""
    return f"notice-{notice_id}"


def _letter(
    customer: Customer, notice_id: int, notice: Notice, printed: NoticeLetter, at: datetime
) -> Letter:
    to = notice.recipient.address
    missing = [name for name in ("street", "postcode", "city") if not getattr(to, name).strip()]
    if missing:
        raise RefusedError(
            f"Customer {customer.customer_no} cannot get a letter: the address has no"
            f" {' and no '.join(missing)}."
        )
    return Letter(
        reference=reference_of(notice_id),
        pdf=printed.pdf,
        recipient=printed.recipient,
        country=printed.country,
        pages=printed.pages,
        created_at=at,
        registered=notice.registered_mail,
    )
