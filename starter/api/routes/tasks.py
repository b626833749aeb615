"""Tasks: what people have to do."""

from __future__ import annotations

from fastapi import APIRouter

from models.store import tasks
from models.tables import Task
from starter import task_outcomes
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Key
from starter.api.routes.calls import CallOutcome, noted
from starter.api.services import Uses
from starter.services import Json, now

router = APIRouter(prefix="/api/tasks")


@router.get("")
async def list_tasks(services: Uses, _: Viewer) -> list[Json]:
    """Return all tasks, open ones first, then by due date."""
    async with services.database.transaction() as session:
        rows = await tasks.list_tasks(session)
    return [_task(row) for row in rows]


@router.get("/{task_id}")
async def show_task(task_id: Key, services: Uses, _: Viewer) -> Json:
    """Return one task."""
    async with services.database.transaction() as session:
        return _task(await tasks.get(session, task_id))


@router.post("/{task_id}/done")
async def finish_task(task_id: Key, body: CallOutcome, services: Uses, user: Finance) -> Json:
    """Mark a task as done; the same outcome again is known, another one is refused.

    A task to call a debtor takes the outcomes of a call, a question of a dunning case its answers;
    both bring about what follows from them.
    """
    at = now()
    async with services.database.transaction() as session:
        who = await noted(session, at, user.name)
        given = body.model_fields_set
        task = await task_outcomes.finish(session, task_id, body.call(), given, who)
        return {**_task(task), "known": task.done_at != at}


def _task(row: Task) -> Json:
    return {
        "id": row.id,
        "kind": row.kind,
        "title": row.title,
        "description": row.description,
        "due": row.due,
        "assignee": row.assignee,
        "status": row.status,
        "case_id": row.case_id,
        "context": row.context,
        "created_at": row.created_at,
        "done_at": row.done_at,
        "done_by": row.done_by or None,
        "outcome": row.outcome or None,
    }
