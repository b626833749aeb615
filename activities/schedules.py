"""Keeps a Temporal Schedule for every rule, as the database says (X19).

It may be broken off anywhere, run as often as one likes, and beside itself: each rule is locked
while its Schedule is looked at and changed, and what a crash leaves half done is done next time.

The database wins, with one exception: a pause that somebody set in Temporal pauses the rule. To
tell it from our own, ``schedule_paused`` is written before we pause a Schedule, and taken back
after we let it run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleAlreadyRunningError,
    ScheduleDescription,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.schedule_specs import differences, rule_id_of, schedule_id, schedule_of
from domain.company import Company
from models.store import company
from models.store.database import Database
from models.store.dunning import rules
from models.store.dunning import schedules as store
from models.store.dunning.schedules import Scheduled

# A rule is locked meanwhile, and with it the command of a person.
_PATIENCE = timedelta(seconds=5)


async def reconcile(
    client: Client, database: Database, task_queue: str, now: datetime, *, only: int | None = None
) -> None:
    """Make the Schedules what the rules say; ``only`` that of one rule.

    RPCError where Temporal is away. A rule whose Schedule cannot be kept does not keep the others.
    """
    async with database.transaction() as session:
        firm = await company.find(session)
        rule_ids = await store.rule_ids(session) if only is None else [only]
    if firm is None:
        return
    keeper = _Keeper(client, database, task_queue, now, firm, await namespace_id(client))
    steps: list[Callable[[], Awaitable[None]]] = [
        lambda rule_id=rule_id: keeper.keep(rule_id)  # type: ignore[misc]
        for rule_id in rule_ids
    ]
    if only is None:
        steps += [keeper.delete_removed, keeper.delete_unknown]
    failure: RPCError | None = None
    for step in steps:
        try:
            await step()
        except RPCError as error:
            failure = failure or error
    if failure:
        raise failure


async def namespace_id(client: Client) -> str:
    """Return what names this very Temporal database: the id that its namespace was given."""
    request = DescribeNamespaceRequest(namespace=client.namespace)
    answer = await client.workflow_service.describe_namespace(request, timeout=_PATIENCE)
    return answer.namespace_info.id


async def inspect(client: Client, database: Database, task_queue: str, now: datetime) -> list[str]:
    """Say which Schedules are not as they should be, and change nothing; for the doctor."""
    async with database.transaction() as session:
        firm = await company.find(session)
        stored = await rules.list_all(session) if firm else []
    wrong = []
    for rule in stored:
        zone = ZoneInfo(firm.time_zone) if firm else ZoneInfo("UTC")
        wanted = schedule_of(rule, zone, task_queue, now, paused=rule.paused)
        there = await _describe(client, rule.id)
        if there is None:
            found = ["it is missing"]
        else:
            found = await differences(wanted, there.schedule, client.data_converter)
            if there.schedule.state.paused != rule.paused:
                found.append("pause")
        wrong += [f"{rule.rule.name}: {', '.join(found)}"] if found else []
    return wrong


async def _describe(client: Client, rule_id: int) -> ScheduleDescription | None:
    try:
        handle = client.get_schedule_handle(schedule_id(rule_id))
        return await handle.describe(rpc_timeout=_PATIENCE)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None


class _Keeper:
    """One pass over the Schedules."""

    def __init__(
        self,
        client: Client,
        database: Database,
        task_queue: str,
        now: datetime,
        firm: Company,
        namespace: str,
    ) -> None:
        self._client = client
        self._database = database
        self._queue = task_queue
        self._now = now
        self._firm = firm
        self._zone = ZoneInfo(firm.time_zone)
        self._namespace = namespace

    async def keep(self, rule_id: int) -> None:
        """Make one rule's Schedule what it should be, and look for slots that were missed."""
        async with self._database.transaction() as session:
            found = await store.lock(session, rule_id)
            if found is None:
                return
            there = await _describe(self._client, rule_id)
            # What somebody did in Temporal is committed before we answer it: a crash would leave
            # only half of it, and who is told of a pause would still see the rule active.
            heeded = True
            if there is None and found.row.scheduled_in == self._namespace:
                await store.deleted_in_temporal(session, found, self._firm, self._now)
            elif there and there.schedule.state.paused and not found.row.schedule_paused:
                await store.paused_in_temporal(session, found, self._now)
            else:
                heeded = False
                await (self._update(found, there) if there else self._create(found))
                await store.note_missed(session, found, self._zone, self._now)
        if heeded:
            await self.keep(rule_id)

    async def delete_removed(self) -> None:
        """Delete the Schedules of rules that were removed."""
        async with self._database.transaction() as session:
            for row in await store.removed(session):
                await self._delete(row.id or 0)
                row.scheduled_in = ""

    async def delete_unknown(self) -> None:
        """Delete Schedules that look like ours and belong to no rule (a restored database)."""
        listed = [one.id async for one in await self._client.list_schedules()]
        ids = [rule_id for name in listed if (rule_id := rule_id_of(name)) is not None]
        async with self._database.transaction() as session:
            for rule_id in await store.unknown(session, ids):
                await self._delete(rule_id)

    def _wanted(self, found: Scheduled) -> Schedule:
        paused = found.row.paused
        return schedule_of(found.rule, self._zone, self._queue, self._now, paused=paused)

    async def _create(self, found: Scheduled) -> None:
        """Make it. What somebody made meanwhile is looked at the next time."""
        try:
            await self._client.create_schedule(
                schedule_id(found.rule.id), self._wanted(found), rpc_timeout=_PATIENCE
            )
        except ScheduleAlreadyRunningError:
            return
        self._note(found)

    async def _update(self, found: Scheduled, there: ScheduleDescription) -> None:
        """Change what differs; a pause that comes in between is left for the next time."""
        wanted, was = self._wanted(found), there.schedule
        wrong = await differences(wanted, was, self._client.data_converter)
        same_pause = wanted.state.paused == was.state.paused
        if not wrong and same_pause:
            self._note(found)
            return
        overtaken = False

        def change(now: ScheduleUpdateInput) -> ScheduleUpdate | None:
            nonlocal overtaken
            overtaken = now.description.schedule.state.paused != was.state.paused
            return None if overtaken else ScheduleUpdate(schedule=wanted)

        handle = self._client.get_schedule_handle(schedule_id(found.rule.id))
        await handle.update(change, rpc_timeout=_PATIENCE)
        if not overtaken:
            self._note(found)

    def _note(self, found: Scheduled) -> None:
        """Remember how it was left."""
        found.row.schedule_paused = found.row.paused
        found.row.scheduled_in = self._namespace

    async def _delete(self, rule_id: int) -> None:
        try:
            handle = self._client.get_schedule_handle(schedule_id(rule_id))
            await handle.delete(rpc_timeout=_PATIENCE)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
