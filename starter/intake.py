"""Orders come in: by webhook or submitted by a person, read by a connector, stored once.

One transaction and no call to Temporal: the outbox row that is stored with the order brings its
case to life.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from sqlalchemy.exc import IntegrityError

from connectors.crm.settings import read_settings
from connectors.shops import SHOPS
from connectors.shops.crm import with_settings
from connectors.shops.port import (
    Ignored,
    JsonObject,
    OrderEvent,
    OrderReference,
    ShopConnector,
    ShopEvent,
)
from domain.errors import ConflictError, Problem, RefusedError, TryLaterError
from domain.order import Order
from models.store import channels, company, intake
from models.store.database import Database
from models.store.intake import Arrival

_CROSSED = (
    IntegrityError,
    asyncpg.IntegrityConstraintViolationError,
    TryLaterError,
)
CHANNEL_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a document: its case, and what it turned out to be."""

    case_id: str
    outcome: str


def connector_of(source: str) -> ShopConnector:
    """Return a source's connector; RefusedError names the sources there are."""
    if source not in SHOPS:
        known = ", ".join(SHOPS)
        raise RefusedError(
            f"There is no source {source!r}; expected one of {known}.",
            (Problem("source", f"one of {known}", source),),
        )
    return SHOPS[source]


def check_channel_name(name: str) -> None:
    """Refuse a channel name that would not do in an address or in a case's id."""
    if not CHANNEL_NAME.fullmatch(name):
        expected = "1 to 40 lower-case letters, digits, dots, dashes or underscores"
        raise RefusedError(
            f"{name!r} cannot name a channel: expected {expected}.",
            (Problem("channel", expected, name),),
        )


def read_webhook(
    connector: ShopConnector,
    document: JsonObject,
    body: bytes,
    *,
    channel: str,
    headers: Mapping[str, str],
    at: datetime,
) -> tuple[Order, Arrival] | None:
    """Read what a shop sent, its signature checked already; None if it is no order."""
    event = connector.read(document, channel=channel, headers=headers)
    if isinstance(event, Ignored):
        return None
    arrival = Arrival(
        channel=channel,
        event_id=connector.event_id(headers, document),
        kind="order",
        body=body,
        at=at,
        by=f"channel {channel}",
    )
    return _order(event), arrival


async def submit(
    database: Database,
    connector: ShopConnector,
    document: JsonObject,
    body: bytes,
    *,
    channel: str,
    at: datetime,
    by: str,
) -> Taken:
    """Take in an order that a person submits; another content under a known number is refused."""
    check_channel_name(channel)
    async with database.transaction() as session:
        configured = await channels.find(session, channel)
    if configured is not None and configured.source != connector.source:
        raise ConflictError(
            f"The channel {channel} is a connection to {configured.source},"
            f" not to {connector.source}."
        )
    if configured is not None:
        connector = with_settings(connector, read_settings(configured.settings))
    event = connector.read(document, channel=channel)
    if isinstance(event, Ignored):
        raise RefusedError(f"This is no order: {event.reason}")
    arrival = Arrival(
        channel=channel,
        event_id=f"submit:{hashlib.sha256(body).hexdigest()}",
        kind="order",
        body=body,
        at=at,
        by=by,
    )
    return await take_order(database, _order(event), arrival, strict=True)


def _order(event: ShopEvent) -> Order:
    if isinstance(event, OrderReference):
        raise RefusedError(
            f"The event {event.event} only names the order {event.external_id}: let the shop send"
            " the whole order, or configure fetching it from the shop's API."
        )
    if not isinstance(event, OrderEvent):  # pragma: no cover - there is no fourth kind
        raise TypeError(event)
    return event.order


async def take_order(database: Database, order: Order, arrival: Arrival, *, strict: bool) -> Taken:
    """Take one order in, in a transaction of its own; see ``models.store.intake``."""
    try:
        return await _take_order(database, order, arrival, strict=strict)
    except _CROSSED:  # the same came elsewhere in this moment: now it can be seen
        return await _take_order(database, order, arrival, strict=strict)


async def _take_order(database: Database, order: Order, arrival: Arrival, *, strict: bool) -> Taken:
    async with database.transaction() as session:
        firm = await company.get(session)
        case_id, outcome = await intake.accept_order(session, order, arrival, firm, strict=strict)
    return Taken(case_id, outcome.value)
