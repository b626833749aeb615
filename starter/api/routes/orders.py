"""Orders that a person submits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request

from starter.api.auth import Finance
from starter.api.inputs import json_object
from starter.api.services import Uses
from starter.intake import connector_of, submit
from starter.services import Json, now

router = APIRouter(prefix="/api/orders")


@router.post("")
async def submit_order(
    request: Request,
    services: Uses,
    user: Finance,
    source: Annotated[str, Query()],
    channel: Annotated[str, Query()] = "",
) -> Json:
    """Take in the order in the body; the channel is named like its source unless one is given."""
    connector, body = connector_of(source), await request.body()
    taken = await submit(
        services.database,
        connector,
        json_object(body),
        body,
        channel=channel or source,
        at=now(),
        by=user.name,
    )
    return {
        "case_id": taken.case_id,
        "outcome": taken.outcome,
        "known": taken.outcome in {"known", "stale"},
    }
