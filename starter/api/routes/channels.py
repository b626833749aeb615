"""Channels: configured connections and their secrets."""

from __future__ import annotations

from fastapi import APIRouter

from domain.errors import ConflictError, Problem, RefusedError
from models.store import channels
from models.tables import Channel
from models.vault import Vault
from starter.api.auth import Admin, Viewer
from starter.api.inputs import Input, Name
from starter.api.services import Json, Services, Uses, now
from starter.channel_secrets import check_secret, new_secret, sources
from starter.intake import check_channel_name

router = APIRouter(prefix="/api/channels")


class Connection(Input):
    """What a channel is a connection to. A new one without a secret gets one."""

    source: str
    secret: str | None = None


@router.get("")
async def list_channels(services: Uses, _: Viewer) -> list[Json]:
    """Return all channels by name, without their secrets."""
    async with services.database.transaction() as session:
        rows = await channels.list_all(session)
    return [_channel(services, row) for row in rows]


@router.put("/{name}")
async def set_channel(name: Name, body: Connection, services: Uses, _: Admin) -> Json:
    """Make a channel, or give one another secret. A secret that was made here is shown once."""
    check_channel_name(name)
    if body.source not in sources():
        expected = f"one of {', '.join(sources())}"
        raise RefusedError(
            f"There is no source {body.source[:60]!r}; expected {expected}.",
            (Problem("source", expected, body.source[:60]),),
        )
    if body.secret is not None:
        check_secret(body.source, body.secret)
    vault = Vault(services.settings)
    secret = body.secret or new_secret(body.source)
    async with services.database.transaction() as session:
        added = await channels.add_if_absent(session, name, body.source, vault.seal(secret), now())
        row = await channels.get(session, name)
        if row.source != body.source:
            raise ConflictError(
                f"The channel {name} is a connection to {row.source}; remove it first, or choose"
                " another name."
            )
        known = not added and (body.secret is None or vault.open(row.secret) == body.secret)
        if not added and not known:
            row.secret = vault.seal(secret)
    services.connections.forget()
    shown = secret if added and body.secret is None else None
    return {**_channel(services, row), "known": known, "secret": shown}


@router.get("/{name}/secret")
async def show_secret(name: Name, services: Uses, _: Admin) -> Json:
    """Return the secret of a channel, to be typed into the shop."""
    async with services.database.transaction() as session:
        row = await channels.get(session, name)
    return {"id": row.name, "secret": Vault(services.settings).open(row.secret)}


@router.delete("/{name}")
async def remove_channel(name: Name, services: Uses, _: Admin) -> Json:
    """Remove a channel: what it sends is refused from now on; its orders stay."""
    async with services.database.transaction() as session:
        await channels.remove(session, name)
    services.connections.forget()
    return {"id": name, "removed": True}


def _channel(services: Services, row: Channel) -> Json:
    return {
        "id": row.name,
        "name": row.name,
        "source": row.source,
        "address": f"{services.settings.api_base_url}/webhooks/{row.name}",
        "created_at": row.created_at,
    }
