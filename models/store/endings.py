"""Decisions that end or delay a claim: cancel an order, move a due date, propose a write-off.

The caller holds the locks of the customer and the case.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import ConflictError, RefusedError
from domain.order_case import Standing, Status
from models.store import approvals, cases, history, invoices, tasks
from models.tables import DueDateChange, Task

LONGEST_EXTENSION = timedelta(days=365)


async def cancel(
    session: AsyncSession, case_id: str, *, reason: str, by: str, at: datetime
) -> bool:
    """Decide that everything done for the order is undone; False if that was decided before."""
    if not reason.strip():
        raise RefusedError("Give the reason for the cancellation.")
    case = await cases.standing(session, case_id)
    if case.cancelling:
        return False
    ended = Status.WRITTEN_OFF if case.written_off else case.closed
    if ended not in {None, Status.CLOSED}:
        raise ConflictError(f"Case {case_id} is {ended}: there is nothing left to cancel.")
    await cases.request_cancellation(session, case_id, reason)
    await tasks.resolve_all(session, case_id, by=by, at=at)
    history.note(session, case_id, at, "cancel_requested", f"Cancellation: {reason}", by)
    return True


async def extend(session: AsyncSession, case_id: str, *, due: date, by: str, at: datetime) -> bool:
    """Move the due date of what is open; False if it is that already. The customer is told."""
    case = await cases.standing(session, case_id)
    invoice_id, previous = _claim(case, case_id)
    today = await cases.today(session, case_id, at)
    if previous is None:
        raise ConflictError(f"Case {case_id} has no due date yet that could be moved.")
    if due == previous:
        return False
    if not today <= due <= today + LONGEST_EXTENSION:
        raise RefusedError(f"The new due date must lie between {today} and a year from now.")
    change = DueDateChange(
        case_id=case_id,
        invoice_id=invoice_id,
        previous=previous,
        due_date=due,
        changed_by=by,
        changed_at=at,
    )
    session.add(change)
    await invoices.set_due_date(session, invoice_id, due)
    await cases.forget_overdue(session, case_id)
    follow_up = (
        update(Task)
        .where(
            col(Task.case_id) == case_id,
            col(Task.kind) == "follow_up_payment",
            col(Task.status) == "open",
        )
        .values(due=due)
    )
    await session.exec(follow_up)
    text = f"Due date moved from {previous} to {due}"
    history.note(session, case_id, at, "due_date_changed", text, by)
    return True


async def propose_write_off(
    session: AsyncSession, case_id: str, *, reason: str, by: str, at: datetime
) -> bool:
    """Propose to write off what is open; another person has to approve. False if proposed."""
    if not reason.strip():
        raise RefusedError("Give the reason for the write-off.")
    case = await cases.standing(session, case_id)
    _claim(case, case_id)
    if case.write_off:
        return False
    number = await approvals.count_of(session, case_id)
    await approvals.request(
        session,
        key=f"{case_id}:write_off:{number}",
        case_id=case_id,
        step=approvals.WRITE_OFF,
        amount=case.amount_due,
        currency=case.currency,
        why=f"write-off of what is open on {case.invoice_no}: {reason}",
        at=at,
        proposed_by=by,
    )
    return True


async def change(session: AsyncSession, change_id: int) -> DueDateChange:
    """Return one change of a due date."""
    query = select(DueDateChange).where(DueDateChange.id == change_id)
    return (await session.exec(query)).one()


def _claim(case: Standing, case_id: str) -> tuple[int, date | None]:
    """Return the invoice and due date of what is open; ConflictError where nothing is."""
    if case.invoice_id is None or case.amount_due <= 0 or case.cancelling:
        raise ConflictError(f"Nothing is open in case {case_id}.")
    return case.invoice_id, case.due_date
