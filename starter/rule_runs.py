"""``rule run``: starts a rule's run now, waits for it a little, and says what it did.

What is waited for is the run in the database; Temporal is asked only whether it failed. A run that
no worker takes stays queued, and whoever asked is told so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.exceptions import FailureError, TemporalError

from domain.errors import ConflictError, NotReadyError
from models import search_keys
from models.messages import RunStart
from models.store import company
from models.store.database import Database
from models.store.dunning import rules, runs, selection
from starter.services import Json, Services, now

PATIENCE = 8.0  # of one request; a command line asks again
CONNECTING = 5.0
LOOK = 0.2
_AWAY = (TemporalError, TimeoutError, OSError, RuntimeError)

log = structlog.get_logger("runs")


class State(StrEnum):
    """How far a run has come: no worker has taken it, it is under way, it is over."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that was started: its rule's name, and its key."""

    name: str
    key: str


async def run_now(services: Services, name: str, by: str) -> Json:
    """Start a run of the rule, paused or not, and return its report as far as it has come.

    NotReadyError if Temporal is away: then nothing was started.
    """
    at = now()
    async with services.database.transaction() as session:
        stored = await rules.get(session, name)
        zone = ZoneInfo((await company.get(session)).time_zone)
    key = f"dunning-run-{stored.id}-now-{at.astimezone(zone):%Y-%m-%dT%H:%M:%S}-{uuid4().hex[:6]}"
    start = RunStart(rule_id=stored.id, asked_by=by)
    try:
        async with asyncio.timeout(CONNECTING):
            client = await services.temporal()
            await start_run(client, key, start, name, services.settings.task_queue)
    except _AWAY as error:
        log.warning("a run was not started", rule=stored.id, error=type(error).__name__)
        raise NotReadyError(
            "Temporal is away, so the rule was not run (`zahltag doctor` says more);"
            " repeat the command when it is back."
        ) from error
    return await report(services, name, key)


async def start_run(client: Client, key: str, start: RunStart, name: str, task_queue: str) -> None:
    """Start the workflow of a run; one that is running stays as it is."""
    await client.start_workflow(
        "DunningCycle",
        start,
        id=key,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"Rule {name}, {_when(start)}",
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(search_keys.CASE_KIND, "dunning_run")]
        ),
        rpc_timeout=timedelta(seconds=CONNECTING),
    )


async def report(services: Services, name: str, key: str) -> Json:
    """Wait a little for the end of a run, and say how far it has come and what it did."""
    failed = asyncio.create_task(_failure(services, key))
    until = asyncio.get_running_loop().time() + PATIENCE
    try:
        while True:
            told = await _look(services.database, name, key)
            if told["status"] == State.DONE:
                return told
            if failed.done() and failed.result():
                raise ConflictError(f"The run of {name!r} failed: {failed.result()}")
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(LOOK)
    finally:
        failed.cancel()
    if told["status"] == State.WAITING and await _is_taken(services, key):
        told["status"] = State.RUNNING  # it selects
    return told


async def resume_runs(client: Client, database: Database, at: datetime, task_queue: str) -> int:
    """Start the runs again that are not over: a lost Temporal database stops none."""
    async with database.transaction() as session:
        left = await runs.unfinished(session, at)
        names = {key: (await rules.any_by_id(session, start.rule_id)).name for key, start in left}
    for key, start in left:
        await start_run(client, key, start, names[key], task_queue)
    return len(left)


async def _look(database: Database, name: str, key: str) -> Json:
    async with database.transaction() as session:
        run = await runs.of_rule(session, name, key)
        told: Json = {"run": key, "rule": name, "status": State.WAITING}
        if run is None:
            return {**told, "matched": 0, "handed_over": 0, "skipped": []}
        return {
            **told,
            "status": State.DONE if run.finished else State.RUNNING,
            "matched": run.matched,
            "handed_over": run.handed_over,
            "skipped": await _skipped(session, run.id),
        }


async def _skipped(session: AsyncSession, run_id: int) -> list[dict[str, Any]]:
    rows = await selection.skipped(session, run_id)
    return [{"customer_no": row["customer_no"], "reason": row["reason"]} for row in rows]


async def _is_taken(services: Services, key: str) -> bool:
    """Tell whether a worker has begun with the run: it has asked for an activity."""
    try:
        async with asyncio.timeout(CONNECTING):
            client = await services.temporal()
            described = await client.get_workflow_handle(key).describe()
    except _AWAY:
        return False
    return bool(described.raw_description.pending_activities)


async def _failure(services: Services, key: str) -> str:
    """Return why the run's workflow failed; empty while it has not, or Temporal does not say."""
    try:
        client = await services.temporal()
        await client.get_workflow_handle(key).result()
    except WorkflowFailureError as error:
        cause: BaseException = error.cause
        while isinstance(cause, FailureError) and cause.cause is not None:
            cause = cause.cause
        return str(cause) or "it was ended in Temporal."
    except _AWAY:
        return ""
    return ""


def _when(start: RunStart) -> str:
    return f"slot {start.slot:%Y-%m-%d %H:%M}" if start.slot else "run now"
