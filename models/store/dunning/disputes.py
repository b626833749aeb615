"""Disputes about invoices: what is disputed is not dunned (par. 273, 286 (4), 320 BGB; R3)."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import ConflictError
from models.store.dunning import blocks
from models.store.dunning.blocks import Subject


async def open_dispute(
    session: AsyncSession, subject: Subject, *, reason: str, today: date, at: datetime, by: str
) -> bool:
    """Open a dispute about an invoice (par. 273, 320 BGB); False if it is open for that reason."""
    known = await blocks.current(session, subject, blocks.DISPUTE, today)
    if known is not None:
        if known.reason == reason:
            return False
        raise ConflictError(
            f"{subject.name} is disputed since {known.since} for another reason: close that"
            f" dispute first with `zahltag dispute close {subject.invoice_no} --outcome ...`."
        )
    await blocks.refuse_paid(session, subject)
    await blocks.put(
        session, subject, blocks.DISPUTE, since=today, until=None, reason=reason, at=at, by=by
    )
    await blocks.note(
        session, subject, "dispute_opened", f"{subject.name} is disputed", at=at, by=by
    )
    return True


async def close_dispute(
    session: AsyncSession, subject: Subject, *, outcome: str, today: date, at: datetime, by: str
) -> bool:
    """Close the dispute about an invoice; False if it was closed with that outcome."""
    known = await blocks.current(session, subject, blocks.DISPUTE, today)
    if known is None:
        closed = await blocks.last(session, subject, blocks.DISPUTE)
        if closed is None:
            raise ConflictError(
                f"{subject.name} is not disputed; `zahltag dispute list` shows what is."
            )
        if closed.outcome != outcome:
            raise ConflictError(
                f"The dispute about {subject.invoice_no} was closed before with another outcome."
            )
        return False
    known.lifted_at, known.lifted_by, known.outcome = at, by, outcome
    said = f"The dispute about {subject.invoice_no} is closed"
    await blocks.note(session, subject, "dispute_closed", said, at=at, by=by)
    return True
