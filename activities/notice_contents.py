"""What a notice says: mail or letter from the facts, as they are at the point of no return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from email.message import EmailMessage

from sqlmodel.ext.asyncio.session import AsyncSession

from connectors.letters import Letter
from models.dunning_tables import DunningNotice
from models.store import documents
from models.store.dunning import cases, notices
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
    on: date


async def compose(
    session: AsyncSession,
    customer: Customer,
    notice: DunningNotice,
    *,
    case_id: str,
    message_id: str,
    at: datetime,
) -> Made:
    """Make the notice from what the database says now.

    The caller holds the customer's lock: a posting to that customer is seen wholly or comes later.
    """
    zone = await cases.zone_of(session)
    on = at.astimezone(zone).date()
    due = await notices.due_items(session, customer.id or 0, on)
    items = tuple(item for item in due if item.currency == notice.currency)
    amount = sum((item.open_amount for item in items), Decimal(0))
    pdf = b"%PDF-provisional"
    document_id = await documents.keep(
        session, kind="notice", filename=f"notice-{notice.id}.pdf", content=pdf, at=at
    )
    finished: EmailMessage | Letter
    if notice.channel == "letter":
        finished = Letter(f"notice-{notice.id}", pdf, (customer.name,), "DE", 1, at)
    else:
        finished = message = EmailMessage()
        message["From"], message["To"] = "a@example.com", customer.email
        message["Message-ID"], message["Subject"] = message_id, f"Mahnung {amount}"
        message["X-Zahltag-Kind"], message["X-Zahltag-Case"] = "notice", case_id
        message.set_content(f"{amount}")
    return Made("notice", finished, items, amount, document_id, on)
