"""The effect of ``set_due_date``."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from models.codec import Json
from models.messages import StepRequest
from models.store import history, invoices
from models.store.effects import once


async def record_due_date(session: AsyncSession, request: StepRequest) -> None:
    """Let the invoice be due when it says so, once (F1, F2). The customer is locked."""

    async def record() -> Json:
        due = await invoices.take_due_date(session, request.case_id)
        history.note(session, request.case_id, request.at, "due_date_set", f"Due on {due}")
        return {}

    await once(session, request, record)
