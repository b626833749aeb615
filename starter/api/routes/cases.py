"""Cases: lists, one case with its problems and its timeline, and commands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning import case as dunning
from domain.errors import Problem, RefusedError
from domain.order_case import Status
from models.store import cases, history, tasks, views
from models.store.decisions import Decision
from models.store.dunning import accounts
from models.tables import CaseException, CaseFile, History
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Input, Line, Name
from starter.api.services import Uses
from starter.api.shapes import money
from starter.commands import Done, command_case
from starter.services import Json, Services, now

router = APIRouter(prefix="/api/cases")
STATUSES = tuple(dict.fromkeys([*map(str, Status), *map(str, dunning.Status)]))


class Correction(Input):
    """Fields of the order and their right values."""

    fields: dict[str, str] = Field(min_length=1, max_length=100)


class Reason(Input):
    """Why; the history keeps it."""

    reason: Line


class Extension(Input):
    """The new due date, as ``2026-12-31``."""

    due: Line


@router.get("")
async def list_cases(
    services: Uses, _: Viewer, status: Annotated[str | None, Query()] = None
) -> list[Json]:
    """Return all cases, or those with a status of orders or of dunning, oldest first."""
    if status is not None and status not in STATUSES:
        allowed = ", ".join(STATUSES)
        raise RefusedError(
            f"There is no status {status[:60]!r}; expected one of {allowed}.",
            (Problem("status", f"one of {allowed}", status[:60]),),
        )
    async with services.database.transaction() as session:
        rows = await views.cases(session, status)
    return [
        {
            **row,
            "amount_due": money(row["amount_due"], row["currency"]),
            "total": money(row["total"], row["currency"]),
        }
        for row in rows
    ]


@router.get("/{case_id}")
async def show_case(case_id: Name, services: Uses, _: Viewer) -> Json:
    """Return one case: where it stands, what comes next, when and why, and what happened."""
    async with services.database.transaction() as session:
        case, customer_no = await cases.get(session, case_id)
        problems = await tasks.exceptions_of(session, case_id)
        timeline = await history.of_case(session, case_id)
        plan = await _plan(session, case)
    return {
        "id": case.id,
        "status": case.status,
        "payment_status": case.payment_status,
        "fulfilment_status": case.fulfilment_status,
        "return_status": case.return_status,
        "accounting_status": case.accounting_status,
        "order_no": case.order_no,
        "customer_no": customer_no,
        "invoice_no": case.invoice_no,
        "amount_due": money(case.amount_due, case.currency),
        "currency": case.currency,
        "due_date": case.due_date,
        **plan,
        "problems": [_problem(row) for row in problems],
        "timeline": [_event(row) for row in timeline],
    }


@router.post("/{case_id}/correct")
async def correct(case_id: Name, body: Correction, services: Uses, user: Finance) -> Json:
    """Correct fields of an order that was not invoiced yet; the case is checked again."""
    decision = Decision("correct", user.name, fields=body.fields)
    return await _answer(services, await command_case(services, case_id, decision))


@router.post("/{case_id}/retry")
async def retry(case_id: Name, services: Uses, user: Finance) -> Json:
    """Repeat the step that failed."""
    return await _answer(
        services, await command_case(services, case_id, Decision("retry", user.name))
    )


@router.post("/{case_id}/cancel")
async def cancel(case_id: Name, body: Reason, services: Uses, user: Finance) -> Json:
    """Undo what was done for the order, with documents."""
    decision = Decision("cancel", user.name, reason=body.reason)
    return await _answer(services, await command_case(services, case_id, decision))


@router.post("/{case_id}/extend")
async def extend(case_id: Name, body: Extension, services: Uses, user: Finance) -> Json:
    """Move the due date of what is open; the customer is told."""
    decision = Decision("extend", user.name, fields={"due": body.due})
    return await _answer(services, await command_case(services, case_id, decision))


@router.post("/{case_id}/write-off")
async def write_off(case_id: Name, body: Reason, services: Uses, user: Finance) -> Json:
    """Propose to write off what is open; another person approves it."""
    decision = Decision("write_off", user.name, reason=body.reason)
    return await _answer(services, await command_case(services, case_id, decision))


async def _answer(services: Services, done: Done) -> Json:
    """Say what became of the command, and where the case stands now."""
    async with services.database.transaction() as session:
        case, _ = await cases.get(session, done.case_id)
    return {
        "case_id": done.case_id,
        "known": done.known,
        "effective": done.effective,
        "message": done.message,
        "status": case.status,
        "next_step": case.next_step,
    }


async def _plan(session: AsyncSession, case: CaseFile) -> Json:
    """Return what comes next, when, and why; where a rule decides, as the rules stand now."""
    rests = case.kind == "dunning" and case.waiting_for == dunning.WaitingFor.RULE
    if rests and case.closed_at is None and case.customer_id is not None:
        found = await accounts.outlook(session, case.customer_id, now())
        return {"next_step": found.next_step, "next_step_at": found.at, "why": found.why}
    return {"next_step": case.next_step, "next_step_at": case.next_step_at, "why": case.why}


def _problem(row: CaseException) -> Json:
    return {
        "field": row.field,
        "expected": row.expected,
        "found": row.found,
        "kind": row.kind,
        "owner": row.owner,
    }


def _event(row: History) -> Json:
    return {"at": row.at, "actor": row.actor, "event": row.event, "text": row.text}
