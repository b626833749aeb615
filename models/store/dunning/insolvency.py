"""Insolvency: claims are filed with the administrator (par. 87, 174 InsO) and no longer dunned."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import ConflictError, RefusedError
from models.store import tasks
from models.store.dunning import blocks
from models.store.dunning.blocks import INSOLVENCY
from models.store.dunning.telling import case_id_of
from models.tables import Task

TASK = "insolvency_claim"
OLDEST = timedelta(days=10 * 366)
# The court gives creditors two weeks to three months from the opening on (par. 28 (1) InsO).
SHORTEST_PERIOD = timedelta(days=14)

_DESCRIPTION = (
    "Nothing is dunned any more. File what was owed on {since} with the administrator whom the"
    " court's order names, in writing, with copies of the invoices{law}. The order says until when;"
    " the task is due at the earliest such day. What is filed later costs a fee. Let the tax"
    " adviser correct the VAT of these invoices{vat}. What was ordered after that day is owed by"
    " the estate and is looked at by hand."
)
_GERMAN = {"law": " (par. 174 InsO)", "vat": " (par. 17 (2) no. 1 UStG)"}


async def note_insolvent(
    session: AsyncSession,
    customer_no: str,
    *,
    since: date,
    company: Company,
    today: date,
    at: datetime,
    by: str,
) -> bool:
    """Stop dunning for good and create the task to file the claim; False if that was noted."""
    subject = await blocks.of_customer(session, customer_no)
    known = await blocks.current(session, subject, INSOLVENCY, today)
    if known is not None:
        if known.since == since:
            return False
        raise ConflictError(
            f"Customer {customer_no} is known as insolvent since {known.since}: say"
            f" `zahltag customer solvent {customer_no}` first if that is wrong."
        )
    if not today - OLDEST <= since <= today:
        raise RefusedError(
            f"The day of the insolvency must lie between {today - OLDEST} and {today}."
        )
    reason = "insolvency proceedings"
    await blocks.put(
        session, subject, INSOLVENCY, since=since, until=None, reason=reason, at=at, by=by
    )
    said = f"Insolvent since {since}: dunning stops"
    await blocks.note(session, subject, "insolvency_noted", said, at=at, by=by)
    noted = await blocks.last(session, subject, INSOLVENCY)
    german = subject.customer.address.get("country") in {"DE", "", None}
    words = _GERMAN if german else {"law": "", "vat": ""}
    await tasks.create(
        session,
        key=f"insolvency-{noted.id if noted else 0}",
        kind=TASK,
        title=f"File our claims against {customer_no} with the administrator",
        description=_DESCRIPTION.format(since=since, **words),
        assignee=tasks.assignee(company, "accounting"),
        due=max(since + SHORTEST_PERIOD, today),
        case_id=case_id_of(customer_no),
        at=at,
        context={"customer_no": customer_no, "since": str(since)},
    )
    return True


async def note_solvent(
    session: AsyncSession, customer_no: str, *, today: date, at: datetime, by: str
) -> bool:
    """Take the insolvency back: it is over, or was a mistake. False if that was done before."""
    subject = await blocks.of_customer(session, customer_no)
    known = await blocks.current(session, subject, INSOLVENCY, today)
    if known is None:
        if await blocks.last(session, subject, INSOLVENCY) is None:
            raise ConflictError(f"Customer {customer_no} is not known as insolvent.")
        return False
    known.lifted_at, known.lifted_by = at, by
    await session.exec(
        update(Task)
        .where(col(Task.key) == f"insolvency-{known.id}", col(Task.status) == "open")
        .values(status="done", outcome="solvent again", done_by=by, done_at=at)
    )
    said = "No longer insolvent: dunning may go on"
    await blocks.note(session, subject, "insolvency_over", said, at=at, by=by)
    return True
