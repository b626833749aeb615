"""People's decisions about a dunning case: approve, reject, retry, stop."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import ConflictError, ForbiddenError, RefusedError
from models.store import approvals, customers, history, tasks
from models.store.decisions import Decision
from models.store.dunning import blocks, cases, notices
from models.store.dunning.telling import customer_no_of
from models.tables import Approval

NOT_AGAIN = timedelta(days=14)
LONGEST_REST = timedelta(days=366)


async def store(session: AsyncSession, case_id: str, decision: Decision, at: datetime) -> bool:
    """Store a decision. RefusedError in plain words if the case's state does not allow it.

    ``fields`` of a rejection may hold ``not_before``. The same decision again changes nothing;
    return whether this one changed anything. The customer is locked first: no posting and no
    letter crosses the decision.
    """
    await customers.locked(session, customer_no_of(case_id))
    if decision.name == "retry":
        if await tasks.resolve_step_failure(session, case_id, by=decision.by, at=at) is None:
            raise ConflictError(f"Nothing failed in case {case_id}: there is no step to repeat.")
        return True
    if decision.name in {"approve", "reject"}:
        approval = await approvals.pending_of(session, case_id)
        if approval is None:
            raise ConflictError(
                f"Case {case_id} waits for no approval: there is nothing to {decision.name}."
            )
        return await decide(session, approval, decision, at)
    if decision.name == "stop":
        return await _stop(session, case_id, decision, at)
    raise RefusedError(
        f"A dunning case takes approve, reject, retry and stop, not {decision.name!r}."
    )


async def decide(
    session: AsyncSession, approval: Approval, decision: Decision, at: datetime
) -> bool:
    """Take the decision about a notice, its customer locked; False if it was taken so before."""
    approved = decision.name == "approve"
    if approved and approval.proposed_by and decision.via_temporal:
        # Whoever reaches Temporal may say any name: that two people agreed only our API can know.
        raise ForbiddenError(
            f"Approval {approval.id} needs a second person: approve it with"
            f" `zahltag approval approve {approval.id}`."
        )
    not_before = None if approved else _not_before(decision, await cases.today(session, at))
    new = await approvals.decide(
        session, approval, approved=approved, by=decision.by, reason=decision.reason, at=at
    )
    if new:
        await notices.decided(
            session,
            approval,
            approved=approved,
            by=decision.by,
            reason=decision.reason,
            not_before=not_before,
            at=at,
        )
    elif decision.fields.get("not_before"):
        known = await notices.not_before_of(session, approval)
        if known != not_before:
            raise ConflictError(f"Approval {approval.id} was rejected before, with {known} as day.")
    return new


def _not_before(decision: Decision, today: date) -> date:
    """Return from which day the rule may propose it again: 14 days from now unless said (X13)."""
    given = decision.fields.get("not_before")
    if not given:
        return today + NOT_AGAIN
    try:
        day = date.fromisoformat(given)
    except ValueError:
        day = today
    if not today < day <= today + LONGEST_REST:
        raise RefusedError(
            "The rejection was not stored: not before takes a date such as 2026-12-31, after today"
            " and within a year."
        )
    return day


async def _stop(session: AsyncSession, case_id: str, decision: Decision, at: datetime) -> bool:
    """Block dunning for the customer until a person lifts it: how Temporal's "cancel" is taken.

    A block without an end stays as it is; one that would run out gives way to it.
    """
    subject = await blocks.of_customer(session, customer_no_of(case_id))
    today = await cases.today(session, at)
    known = await blocks.current(session, subject, blocks.BLOCK, today)
    if known is not None and known.until is not None:
        known.lifted_at, known.lifted_by = at, decision.by
    if known is None or known.until is not None:
        reason = decision.reason or "stopped in Temporal"
        await blocks.put(
            session,
            subject,
            blocks.BLOCK,
            since=today,
            until=None,
            reason=reason,
            at=at,
            by=decision.by,
        )
    said = "Dunning is blocked for this customer until `zahltag block lift`"
    history.note(session, case_id, at, "dunning_blocked", said, decision.by)
    return True
