"""Approvals (Freigaben): what waits for a person's yes or no."""

from __future__ import annotations

from fastapi import APIRouter

from models.store import views
from models.store.decisions import Decision
from models.store.dunning import rules
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Day, Input, Key, Line
from starter.api.services import Uses
from starter.api.shapes import money
from starter.commands import Done, approve_all, decide_approval
from starter.services import Json

router = APIRouter(prefix="/api/approvals")

_NOTHING = "Nothing of this rule waits for an approval."


class Rejection(Input):
    """Why something is not approved; the history keeps it.

    ``not_before``: the rule does not propose a notice again before that day.
    """

    reason: Line
    not_before: Day | None = None


class OfRule(Input):
    """Whose proposals are approved."""

    rule: Line


@router.get("")
async def list_approvals(services: Uses, _: Viewer) -> list[Json]:
    """Return what waits for a decision, oldest first."""
    async with services.database.transaction() as session:
        rows = await views.approvals(session)
    return [{**row, "amount": money(row["amount"], row["currency"])} for row in rows]


@router.post("/approve")
async def approve_of_rule(body: OfRule, services: Uses, user: Finance) -> Json:
    """Approve every notice of a rule that waits."""
    async with services.database.transaction() as session:
        await rules.get(session, body.rule)
    count = await approve_all(services, body.rule, user.name)
    said = f"{count} approved; they go out if they still hold then." if count else _NOTHING
    return {"rule": body.rule, "approved": count, "known": not count, "message": said}


@router.post("/{approval_id}/approve")
async def approve(approval_id: Key, services: Uses, user: Finance) -> Json:
    """Approve; the case goes on."""
    return _answer(
        approval_id,
        await decide_approval(services, approval_id, Decision("approve", user.name)),
    )


@router.post("/{approval_id}/reject")
async def reject(approval_id: Key, body: Rejection, services: Uses, user: Finance) -> Json:
    """Reject; an order is closed without an invoice, a notice is dropped."""
    fields = {"not_before": body.not_before.isoformat()} if body.not_before else {}
    decision = Decision("reject", user.name, reason=body.reason, fields=fields)
    return _answer(approval_id, await decide_approval(services, approval_id, decision))


def _answer(approval_id: int, done: Done) -> Json:
    return {
        "id": approval_id,
        "case_id": done.case_id,
        "known": done.known,
        "effective": done.effective,
        "message": done.message,
    }
