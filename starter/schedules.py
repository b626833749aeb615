"""Keeps the Schedules of the dunning rules: every minute, and right after a command changed one."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog
from temporalio.client import Client

from activities import schedules
from models.settings import Settings
from models.store.database import Database
from starter.services import Services, now
from starter.temporal import connect

# A command that changed a rule does not wait longer; the dispatcher repairs within a minute.
PATIENCE = 3.0

log = structlog.get_logger("schedules")


async def keep_schedules(client: Client, database: Database, task_queue: str, at: datetime) -> None:
    """Make every Schedule what its rule says; RPCError where Temporal is away."""
    await schedules.reconcile(client, database, task_queue, at)


async def follow(services: Services) -> None:
    """Let the Schedules follow a command at once; the command has succeeded in any case."""
    try:
        async with asyncio.timeout(PATIENCE):
            client = await services.temporal()
            await keep_schedules(client, services.database, services.settings.task_queue, now())
    except Exception as error:  # noqa: BLE001 - whatever it is, the dispatcher tries again
        log.warning("the Schedules follow later", error=type(error).__name__)


async def not_as_they_should_be(settings: Settings) -> list[str]:
    """Return a line for each Schedule that is missing or differs; errors where servers are away."""
    database, client = Database.connect(settings), await connect(settings)
    try:
        return await schedules.inspect(client, database, settings.task_queue, now())
    finally:
        await database.close()
