"""Approvals (Freigaben): what waits for a person's yes or no."""

from __future__ import annotations

from fastapi import APIRouter

from models.store import views
from models.store.decisions import Decision
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Input, Key, Line
from starter.api.services import Json, Uses
from starter.api.shapes import money
from starter.commands import Done, decide_approval

router = APIRouter(prefix="/api/approvals")


class Rejection(Input):
    """Why something is not approved; the history keeps it."""

    reason: Line


@router.get("")
async def list_approvals(services: Uses, _: Viewer) -> list[Json]:
    """Return what waits for a decision, oldest first."""
    async with services.database.transaction() as session:
        rows = await views.approvals(session)
    return [{**row, "amount": money(row["amount"], row["currency"])} for row in rows]


@router.post("/{approval_id}/approve")
async def approve(approval_id: Key, services: Uses, user: Finance) -> Json:
    """Approve; the case goes on."""
    return _answer(
        approval_id,
        await decide_approval(services, approval_id, Decision("approve", user.name)),
    )


@router.post("/{approval_id}/reject")
async def reject(approval_id: Key, body: Rejection, services: Uses, user: Finance) -> Json:
    """Reject; an order is closed without an invoice."""
    decision = Decision("reject", user.name, reason=body.reason)
    return _answer(approval_id, await decide_approval(services, approval_id, decision))


def _answer(approval_id: int, done: Done) -> Json:
    return {
        "id": approval_id,
        "case_id": done.case_id,
        "known": done.known,
        "effective": done.effective,
        "message": done.message,
    }
