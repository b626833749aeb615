"""The routing rules: the version that holds, and how it is replaced."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from domain.routing_file import read_rules
from models.store import company, routing
from starter.api.auth import ADMIN, Finance, Viewer
from starter.api.services import Uses
from starter.services import Json, now

router = APIRouter(prefix="/api/routing")


@router.get("")
async def show_routing(services: Uses, _: Viewer) -> Json:
    """Return the rules that hold, and who set them when."""
    async with services.database.transaction() as session:
        row = await routing.latest(session)
    found = row.rules if row else routing.NO_RULES
    return {
        "rules": found["rules"],
        "version": row.id if row else None,
        "set_at": row.set_at if row else None,
        "set_by": row.set_by if row else None,
    }


@router.put("")
async def set_routing(document: Annotated[Json, Body()], services: Uses, user: Finance) -> Json:
    """Set the rules; every version stays, with who set it. The same rules again change nothing."""
    async with services.database.transaction() as session:
        firm = await company.find(session)
        rules = read_rules(document, {ADMIN, *(firm.users if firm else ())})
        before = await routing.latest(session)
        known = before is not None and before.rules == document
        if not known:
            await routing.put(session, document, at=now(), by=user.name)
        row = await routing.latest(session)
    return {"rules": len(rules), "known": known, "version": row.id if row else None}
