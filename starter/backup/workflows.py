"""Ends the workflows of a world that is being replaced; the sweeper starts the new world's own."""

from __future__ import annotations

import asyncio

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from domain.errors import RefusedError
from models.settings import Settings
from starter import temporal

REASON = "A backup was restored: the facts of this run are no longer there."
ROUNDS = 20
AT_ONCE = 20


async def reach(settings: Settings) -> Client:
    """Connect; RefusedError if Temporal is away, as old workflows could then not be ended."""
    try:
        async with asyncio.timeout(10):
            return await temporal.connect(settings)
    except (OSError, RPCError, RuntimeError, TimeoutError, ValueError) as error:
        raise RefusedError(
            f"Temporal cannot be reached at {settings.temporal_address}, so the workflows of the"
            " facts that are replaced cannot be ended: start it, or correct ZAHLTAG_TEMPORAL_."
        ) from error


async def end_all(client: Client, task_queue: str) -> None:
    """Terminate everything that runs on our task queue.

    The list lags behind a little, so it is asked until it is empty.
    """
    query = f"ExecutionStatus = 'Running' AND TaskQueue = '{task_queue}'"
    for _ in range(ROUNDS):
        running = [(each.id, each.run_id) async for each in client.list_workflows(query)]
        if not running:
            return
        for first in range(0, len(running), AT_ONCE):
            part = running[first : first + AT_ONCE]
            await asyncio.gather(*(_end(client, *each) for each in part))
        await asyncio.sleep(0.3)
    raise RefusedError("The running workflows cannot be ended: stop every worker, and try again.")


async def _end(client: Client, workflow_id: str, run_id: str | None) -> None:
    try:
        await client.get_workflow_handle(workflow_id, run_id=run_id).terminate(REASON)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # it has ended meanwhile
            raise
