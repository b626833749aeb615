"""Starts the workflows that fetch what a webhook only named, and starts lost ones again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from models import search_keys
from models.messages import FetchRequest
from models.store.fetches import workflow_id
from models.tables import OrderFetch

log = structlog.get_logger("dispatcher")


async def start_fetch(
    client: Client, name: str, payload: Mapping[str, Any], task_queue: str
) -> None:
    """Start the workflow of one fetch; one that is running already stays as it is."""
    await client.start_workflow(
        "FetchOrder",
        FetchRequest.model_validate(payload),
        id=name,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="Fetch a deal",
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(search_keys.CASE_KIND, "fetch")]
        ),
    )


async def restart_lost(client: Client, waiting: Sequence[OrderFetch], task_queue: str) -> int:
    """Start those fetches that are not done and have no running workflow; return how many."""
    if not waiting:
        return 0
    running = "WorkflowType = 'FetchOrder' AND ExecutionStatus = 'Running'"
    alive = {w.id async for w in client.list_workflows(running, page_size=1000)}
    lost = [row for row in waiting if workflow_id(row) not in alive]
    for row in lost:
        await start_fetch(client, workflow_id(row), {"fetch_id": row.id}, task_queue)
    if lost:
        log.warning("started fetches that had no workflow", count=len(lost))
    return len(lost)
