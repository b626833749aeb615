"""Exceptions: what waits for a person before a case can go on, with context, owner and age."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter

from models.store import tasks, views
from models.tables import CaseException
from starter.api.auth import Viewer
from starter.api.inputs import Key
from starter.api.services import Uses
from starter.api.shapes import age
from starter.services import Json, now

router = APIRouter(prefix="/api/exceptions")


@router.get("")
async def list_exceptions(services: Uses, _: Viewer) -> list[Json]:
    """Return what is open, oldest first."""
    async with services.database.transaction() as session:
        rows = await tasks.list_exceptions(session)
    return [_exception(row, now()) for row in rows]


@router.get("/{exception_id}")
async def show_exception(exception_id: Key, services: Uses, _: Viewer) -> Json:
    """Return one exception, resolved or not."""
    async with services.database.transaction() as session:
        row = await views.exception(session, exception_id)
    return {
        **_exception(row, row.resolved_at or now()),
        "resolved_at": row.resolved_at,
        "resolved_by": row.resolved_by or None,
    }


def _exception(row: CaseException, at: datetime) -> Json:
    return {
        "id": row.id,
        "case_id": row.case_id,
        "kind": row.kind,
        "field": row.field,
        "expected": row.expected,
        "found": row.found,
        "owner": row.owner,
        "age": age(row.raised_at, at),
        "raised_at": row.raised_at,
    }
