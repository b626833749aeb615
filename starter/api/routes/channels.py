"""Channels: configured connections and their secrets."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from connectors.crm.port import DEAL_ID
from connectors.crm.settings import read_settings
from connectors.crm.vendors import vendor_of
from domain.errors import ConflictError, Problem, RefusedError
from models.store import channels, fetches
from models.tables import Channel
from models.vault import Vault
from starter.api.auth import Admin, Finance, Viewer
from starter.api.inputs import Input, Line, Name
from starter.api.services import Uses
from starter.channel_secrets import check_secret, check_token, new_secret, sources
from starter.deals import settings_of
from starter.intake import check_channel_name
from starter.services import Json, Services, now

router = APIRouter(prefix="/api/channels")


class Connection(Input):
    """What a channel is a connection to. A new one without a secret gets one."""

    source: str
    secret: str | None = None
    settings: dict[str, Any] | None = None
    api_token: str | None = None


class Wanted(Input):
    """The deal that is to be fetched, by the CRM's own number."""

    id: Line


@router.get("")
async def list_channels(services: Uses, _: Viewer) -> list[Json]:
    """Return all channels by name, without their secrets."""
    async with services.database.transaction() as session:
        rows = await channels.list_all(session)
    return [_channel(services, row) for row in rows]


@router.put("/{name}")
async def set_channel(name: Name, body: Connection, services: Uses, _: Admin) -> Json:
    """Make a channel, or change its secret, settings or API token; what is not given stays.

    A secret that was made here is shown once; a token never.
    """
    check_channel_name(name)
    if body.source not in sources():
        expected = f"one of {', '.join(sources())}"
        raise RefusedError(
            f"There is no source {body.source[:60]!r}; expected {expected}.",
            (Problem("source", expected, body.source[:60]),),
        )
    if body.secret is not None:
        check_secret(body.source, body.secret)
    settings = settings_of(body.source, body.settings or {}).dump()
    if body.api_token is not None:
        check_token(body.source, body.api_token)
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
        if not added and body.secret is None:
            secret = vault.open(row.secret)
        token = vault.open(row.api_token) if row.api_token else ""
        before = (vault.open(row.secret), row.settings, token)
        after = (
            secret,
            row.settings if body.settings is None else settings,
            token if body.api_token is None else body.api_token,
        )
        if body.settings is not None and body.api_token is None and token:
            _same_address(name, row.settings, settings)
        known = not added and before == after
        if before != after:
            row.secret = vault.seal(after[0])
            row.settings, row.api_token = after[1], vault.seal(after[2]) if after[2] else ""
    services.connections.forget()
    shown = secret if added and body.secret is None else None
    return {**_channel(services, row), "known": known, "secret": shown}


def _same_address(name: str, before: Json, after: Json) -> None:
    """Refuse to send a token that was given for one address to another."""
    if (before.get("vendor"), before.get("api_url")) != (after.get("vendor"), after.get("api_url")):
        raise ConflictError(
            f"The token of the channel {name} was given for another address: give it again with"
            " the new settings."
        )


@router.post("/{name}/fetch")
async def fetch(name: Name, body: Wanted, services: Uses, _: Finance) -> Json:
    """Have a deal fetched from the channel's CRM, as if its webhook had come."""
    if not DEAL_ID.fullmatch(body.id):
        expected = "the number of the deal, such as 9605180927"
        raise RefusedError(
            f"{body.id[:40]!r} is no deal: expected {expected}.",
            (Problem("id", expected, body.id[:40]),),
        )
    async with services.database.transaction() as session:
        row = await channels.get(session, name)
        if row.source != "crm":
            raise ConflictError(f"The channel {name} is no connection to a CRM: it sends orders.")
        vendor_of(name, read_settings(row.settings))
        new = await fetches.request(session, name, body.id, "asked for by a person", now())
    return {"channel": name, "id": body.id, "known": not new}


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
        "settings": row.settings,
        "has_token": bool(row.api_token),
    }
