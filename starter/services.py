"""What the API and the commands behind it work with, made once per process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from temporalio.client import Client
from temporalio.runtime import Runtime

from models.settings import Settings
from models.store.database import Database
from starter import temporal
from starter.connections import Connections
from starter.intake_desk import Desk

Json = dict[str, Any]
Connect = Callable[[], Awaitable[Client]]


@dataclass(frozen=True, slots=True)
class Services:
    """The settings, the database, how to reach Temporal (which may be away), the way in."""

    settings: Settings
    database: Database
    temporal: Connect
    connections: Connections
    desk: Desk


def connect_when_needed(settings: Settings, runtime: Runtime | None = None) -> Connect:
    """Return a function that connects to Temporal at its first success, then gives that client.

    The client mends broken connections by itself; only the first one has to be asked for again.
    """
    lock, known = asyncio.Lock(), list[Client]()

    async def client() -> Client:
        async with lock:
            if not known:
                known.append(await temporal.connect(settings, runtime))
        return known[0]

    return client


def now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)
