"""Account managers: who looks after customers, and where mails reach them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import AfterValidator

from domain.email_addresses import is_email
from models.store.dunning import managers
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Input, Line
from starter.api.services import Uses
from starter.services import Json, now

router = APIRouter(prefix="/api/account-managers")


def _email(text: str) -> str:
    if not is_email(text):
        raise ValueError("an e-mail address such as name@example.com")
    return text


class Manager(Input):
    """An account manager and the address for mails."""

    name: Line
    email: Annotated[Line, AfterValidator(_email)]


@router.get("")
async def list_managers(services: Uses, _: Viewer) -> list[Json]:
    """Return all account managers by name; one without an address gets no mail."""
    async with services.database.transaction() as session:
        rows = await managers.list_all(session)
    return [{"id": row["name"], **row} for row in rows]


@router.post("")
async def set_manager(body: Manager, services: Uses, user: Finance) -> Json:
    """Set where mails reach an account manager."""
    del user
    async with services.database.transaction() as session:
        new = await managers.put(session, body.name, body.email, now())
    return {"name": body.name, "email": body.email, "known": not new}
