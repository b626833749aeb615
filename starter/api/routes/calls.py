"""Calls to debtors, and the end of a task to call."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.calendar import local_date
from models.store import company
from models.store.dunning import calls
from models.store.dunning.calls import Call, Noted
from starter.api.auth import Finance
from starter.api.inputs import Currency, Day, Input, Line, Name, Sum
from starter.api.services import Uses
from starter.services import Json, now

router = APIRouter(prefix="/api")


class CallOutcome(Input):
    """What came of a call: a day and a sum belong to ``promised``, an invoice to ``disputed``."""

    outcome: Line
    date: Day | None = None
    amount: Sum | None = None
    currency: Currency | None = None
    invoice: Line | None = None
    note: Line | None = None

    def call(self) -> Call:
        """Return it as the store takes it."""
        return Call(
            outcome=self.outcome,
            day=self.date,
            amount=self.amount,
            currency=self.currency,
            invoice_no=self.invoice,
            note=self.note,
        )


@router.post("/customers/{customer_no}/calls")
async def note_call(customer_no: Name, body: CallOutcome, services: Uses, user: Finance) -> Json:
    """Note a call that no task asked for; the same outcome twice a day is one call."""
    at = now()
    async with services.database.transaction() as session:
        new = await calls.note(
            session, customer_no, body.call(), await noted(session, at, user.name)
        )
    return {"customer_no": customer_no, "outcome": body.outcome, "known": not new}


async def noted(session: AsyncSession, at: datetime, by: str) -> Noted:
    """Return who notes something, when, and on which day that is for the company."""
    firm = await company.get(session)
    return Noted(firm, local_date(at, firm.time_zone), at, by)
