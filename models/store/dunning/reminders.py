"""What a reminder of instalments asks for: agreed dates that have come, else the next one (K4)."""

from __future__ import annotations

from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.notice import AgreedPayment
from models.store.dunning import agreements


async def agreed(
    session: AsyncSession, customer_id: int, today: date
) -> tuple[tuple[AgreedPayment, ...], str]:
    """Return the agreed payments that are asked for now, and their currency; none if none is."""
    found = await agreements.current(session, customer_id)
    waiting = [each for each in found.dates if each.status == "open"] if found else []
    come = [each for each in waiting if each.due_date <= today] or waiting[:1]
    payments = tuple(AgreedPayment(each.due_date, each.amount) for each in come)
    return payments, come[0].currency if come else ""
