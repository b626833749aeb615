"""The company's profile."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body

from models.codec import dump_company
from models.store import company
from starter import rules
from starter.api.auth import Admin, Viewer
from starter.api.services import Uses
from starter.company_profile import read_profile
from starter.schedules import follow
from starter.services import Json, now

router = APIRouter(prefix="/api/company")


@router.get("")
async def show_company(services: Uses, _: Viewer) -> Json:
    """Return the profile as it is set."""
    async with services.database.transaction() as session:
        return dump_company(await company.get(session))


@router.put("")
async def set_company(document: Annotated[Json, Body()], services: Uses, user: Admin) -> Json:
    """Set the profile; documents that were made before keep what they say."""
    wanted = read_profile(document)
    shipped = False
    async with services.database.transaction() as session:
        known = await company.find(session) == wanted
        if not known:
            await company.put(session, wanted, at=now(), by=user.name)
            shipped = await rules.ship(session, now())
    services.connections.forget()
    if shipped:
        await follow(services)
    return {"name": wanted.name, "known": known}
