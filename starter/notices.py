"""A notice that a person asks for (N1, L15): proposed like a rule's, approved by somebody else."""

from __future__ import annotations

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import ConflictError, RefusedError
from models.store import customers
from models.store.dunning import cases, notices, opening, proposing
from models.store.dunning.notices import Wish
from models.store.dunning.telling import case_id_of, tell


async def ask_for(
    session: AsyncSession, customer_no: str, *, raise_level: bool, at: datetime, by: str
) -> tuple[int, bool]:
    """Propose a notice to a customer; return its id and whether it is new.

    It does not count and does not raise the level, unless ``raise_level`` (L14, L15). RefusedError
    if nothing is overdue or the customer must not hear from us now; ConflictError if another one is
    under way.
    """
    customer = await customers.locked(session, customer_no)
    customer_id = customer.id or 0
    pending = await notices.pending_of(session, customer_id)
    if pending is not None:
        if (pending.proposed_by, pending.raises_level) == (by, raise_level):
            return pending.id or 0, False
        raise ConflictError(
            f"Notice {pending.id} to customer {customer_no} is under way already:"
            " `zahltag approval list` shows it."
        )
    case_id, zone = case_id_of(customer_no), await cases.zone_of(session)
    found = await cases.standing(session, case_id, customer_no, at.astimezone(zone).date(), zone)
    if found.unknown is not None:
        raise ConflictError(
            f"Nobody has said yet whether notice {found.unknown} to customer {customer_no} went"
            " out: `zahltag task list` shows the question."
        )
    if found.held_by:
        raise RefusedError(f"No notice to customer {customer_no}: {found.held_by}.")
    await opening.open_cases(session, [customer_id], at)
    wish = Wish(
        why=f"{by} asked for it",
        channel="email_or_letter",
        raises_level=raise_level,
        proposed_by=by,
    )
    key = f"{case_id}:notice_asked_for:{by}:{at.isoformat()}"
    made = await proposing.propose(session, customer, wish, case_id=case_id, key=key, at=at)
    if made is None:
        raise RefusedError(f"Nothing of customer {customer_no} is overdue: there is no notice.")
    await tell(session, customer_id, at, f"notice-{made}")
    return made, True
