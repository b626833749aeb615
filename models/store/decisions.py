"""People's decisions about a case: stored once, checked against its state, told to its workflow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.corrections import correct
from domain.errors import ConflictError, ForbiddenError, NotFoundError, RefusedError
from domain.order_case import Standing, WaitingFor, decide
from models.codec import dump_order, load_order
from models.messages import DecisionRequest
from models.store import approvals, cases, endings, history, intake, tasks
from models.tables import SalesOrder

# Findings that a person may accept as they are, with `accept.<kind>=yes`.
ACCEPTABLE = ("duplicate_order",)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided: correct, approve, reject, retry, cancel, extend or write_off."""

    name: str
    by: str
    reason: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    via_temporal: bool = False

    @classmethod
    def through_temporal(cls, request: DecisionRequest) -> Decision:
        """Return what a person decided who reached the workflow, not our API."""
        command = request.command
        return cls(
            name=request.name,
            by=f"{command.by} via Temporal",
            reason=command.reason,
            fields=command.fields,
            via_temporal=True,
        )


async def store(session: AsyncSession, case_id: str, decision: Decision, at: datetime) -> bool:
    """Store a decision. RefusedError in plain words if the case's state does not allow it.

    The same decision again changes nothing; return whether this one changed anything. The customer
    and the case are locked first: no posting, no letter and no step crosses the decision.
    """
    await cases.lock(session, case_id)
    if decision.name == "correct":
        return await _correct(session, case_id, decision, at)
    if decision.name in {"cancel", "extend", "write_off"}:
        return await _end(session, case_id, decision, at)
    if decision.name == "retry":
        if await tasks.resolve_step_failure(session, case_id, by=decision.by, at=at) is None:
            case = await cases.standing(session, case_id)
            raise ConflictError(
                f"Nothing failed in case {case_id}: there is no step to repeat. {_where(case, at)}"
            )
        return True
    if decision.name in {"approve", "reject"}:
        return await _approve(session, case_id, decision, at)
    raise RefusedError(f"There is no decision {decision.name!r}.")


async def _end(session: AsyncSession, case_id: str, decision: Decision, at: datetime) -> bool:
    by, reason = decision.by, decision.reason
    if decision.name == "cancel":
        return await endings.cancel(session, case_id, reason=reason, by=by, at=at)
    if decision.name == "write_off":
        return await endings.propose_write_off(session, case_id, reason=reason, by=by, at=at)
    try:
        due = date.fromisoformat(decision.fields.get("due", ""))
    except ValueError as error:
        raise RefusedError("The new due date must be a date such as 2026-12-31.") from error
    return await endings.extend(session, case_id, due=due, by=by, at=at)


async def _correct(session: AsyncSession, case_id: str, decision: Decision, at: datetime) -> bool:
    query = select(SalesOrder).where(SalesOrder.case_id == case_id).with_for_update(key_share=True)
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no case {case_id}.")
    case = await cases.standing(session, case_id)
    accepted, changes = _split(decision.fields)
    order = load_order(row.content)
    corrected = correct(order, changes) if changes or not accepted else order
    new = [kind for kind in accepted if kind not in row.accepted]
    if corrected == order and not new:
        return False
    if case.invoice_id is not None or case.closed is not None:
        raise ConflictError(
            f"Case {case_id} has its invoice or is closed: the order can no longer be corrected."
            " An issued invoice is never changed; it is cancelled and made anew."
        )
    row.digest = intake.told_digest(row)
    row.content, row.total = dump_order(corrected), corrected.total
    row.accepted = [*row.accepted, *new]
    row.revision += 1
    names = ", ".join(sorted(decision.fields))  # the values are personal data and stay out
    history.note(session, case_id, at, "corrected", f"Corrected: {names}", decision.by)
    return True


def _split(fields: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Separate `accept.<kind>=yes` from corrections of fields."""
    accepted, changes = [], {}
    for name, value in fields.items():
        kind = name.removeprefix("accept.")
        if kind == name:
            changes[name] = value
        elif kind in ACCEPTABLE and value.lower() in {"yes", "ja", "true"}:
            accepted.append(kind)
        else:
            allowed = ", ".join(f"accept.{k}=yes" for k in ACCEPTABLE)
            raise RefusedError(f"{name}={value} is not known; what can be accepted: {allowed}.")
    return accepted, changes


async def _approve(session: AsyncSession, case_id: str, decision: Decision, at: datetime) -> bool:
    approval = await approvals.pending_of(session, case_id)
    approved = decision.name == "approve"
    if approval is None:
        case = await cases.standing(session, case_id)
        if case.approval == ("approved" if approved else "rejected"):
            return False
        raise ConflictError(
            f"Case {case_id} waits for no approval: there is nothing to {decision.name}."
            f" {_where(case, at)}"
        )
    if approved and approval.proposed_by and decision.via_temporal:
        # Whoever reaches Temporal may say any name: that two people agreed only our API can know.
        raise ForbiddenError(
            f"Approval {approval.id} needs a second person: approve it with"
            f" `zahltag approval approve {approval.id}`."
        )
    return await approvals.decide(
        session, approval, approved=approved, by=decision.by, reason=decision.reason, at=at
    )


def _where(case: Standing, at: datetime) -> str:
    plan = decide(case, at.date())
    waiting = plan.waiting_for
    return (
        "It waits for nothing from a person."
        if waiting is WaitingFor.NOTHING
        else f"It waits for: {waiting}."
    )
