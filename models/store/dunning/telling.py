"""How a dunning case hears that something about its customer has changed."""

from __future__ import annotations

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from models.store import outbox
from models.store.sql import Statement

LOOK_AGAIN = "look_again"
PREFIX = "dunning-"

_IS_OPEN = Statement("""
select id from case_file where customer_id = :customer_id and kind = 'dunning'
  and closed_at is null
""")


def case_id_of(customer_no: str) -> str:
    """Return the id of a customer's dunning case and of its workflow."""
    return f"{PREFIX}{customer_no}"


def customer_no_of(case_id: str) -> str:
    """Return whose dunning case it is."""
    return case_id.removeprefix(PREFIX)


async def tell(session: AsyncSession, customer_id: int, at: datetime, cause: str) -> None:
    """Let the customer's dunning case, if one is open, look at the facts again.

    For what people agree or set; what is posted (invoices, payments) the database tells by itself.
    """
    case_id: str | None = await _IS_OPEN.value(session, customer_id=customer_id)
    if case_id is not None:
        await outbox.tell(session, case_id, LOOK_AGAIN, at, outbox_id=cause)
