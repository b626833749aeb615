"""A house with rules, Schedules and customers in arrears: where runs of rules are tested."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, ScheduleBackfill
from temporalio.service import RPCError

from models.store import customers, tasks
from models.store.dunning import debtors
from starter.api.app import make_app
from tests.domain.dunning.rules import O2, condition
from tests.dunning.arrears import put_in_arrears

from .clockwork import Clockwork
from .house import House, eventually, now

PATIENCE = 60  # seconds; others use the machine too
LONG_AGO = datetime(2026, 10, 1, tzinfo=UTC)
FRIDAY = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)  # 12:00 in Berlin
SIGNALED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
PLAIN: dict[str, Any] = {
    **{key: value for key, value in O2.items() if key not in {"template", "approval_required"}},
    "filters": [condition("debt", ">", 5)],
}
MARK = {**PLAIN, "name": "Mark", "action": "mark_problematic"}
TELL = {**MARK, "name": "Tell", "action": "hand_to_account_manager"}


@dataclass
class Office:
    """A house with rules, Schedules, customers in arrears, and the API in front."""

    house: House
    works: Clockwork
    http: httpx.AsyncClient

    async def owe(self, count: int) -> list[str]:
        """Let so many customers be in arrears; return their numbers."""
        town = uuid.uuid4().hex[:6]  # other tests share the server, and its ids
        numbers = [f"{town}-{n:04}" for n in range(count)]
        await put_in_arrears(self.house.database, numbers, now())
        return numbers

    async def know(self, number: str, **facts: Any) -> None:
        """Set what people know of a customer."""
        async with self.house.database.transaction() as session:
            customer = await customers.get(session, number)
            await debtors.put(session, customer.id or 0, facts, now())

    async def run(self, name: str) -> dict[str, Any]:
        """Run a rule now by the API and wait until it is over."""
        answer = await self.http.post(f"/api/rules/{name}/run")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        while told["status"] != "done":
            told = (await self.http.get(f"/api/rules/{name}/runs/{told['run']}")).json()
        return told

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """Read rows of the database."""
        async with self.house.database.transaction() as session:
            return [tuple(row) for row in await session.execute(text(query), values)]

    async def taken(self, rule: str) -> int:
        """Count whom the runs of a rule took."""
        query = """select coalesce(sum(n.taken), 0) from dunning_run n
                   join dunning_rule r on r.id = n.rule_id where r.name = :rule"""
        return int((await self.rows(query, rule=rule))[0][0])

    async def runs(self, least: int) -> list[Any]:
        """Wait for so many finished runs; return rule, kind, taken and who asked, in order."""

        async def there() -> list[Any] | None:
            found = await self.rows("""select r.name, n.kind, n.taken, n.asked_by
                from dunning_run n join dunning_rule r on r.id = n.rule_id
                where n.finished_at is not null order by n.id""")
            return found if len(found) >= least else None

        return await eventually(there, PATIENCE)

    async def told(self, numbers: Sequence[str], times: int) -> None:
        """Wait until each customer's case was told by runs so many times, in all its runs."""

        async def counted() -> bool | None:
            return all([await self._signals(n) == times for n in numbers]) or None

        await eventually(counted, PATIENCE)

    async def _signals(self, number: str) -> int:
        client, count = self.house.client, 0
        async for one in client.list_workflows(f"WorkflowId = 'dunning-{number}'"):
            history = client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history_events()
            async for event in history:
                said = event.workflow_execution_signaled_event_attributes
                count += event.event_type == SIGNALED and b"run-" in said.input.payloads[0].data
        return count

    async def fire(self, rule_id: int, at: datetime) -> None:
        """Let a Schedule fire as if the clock stood there."""
        window = ScheduleBackfill(start_at=at - timedelta(minutes=1), end_at=at)
        await self.works.schedule(rule_id).backfill(window)

    async def press_trigger(self, rule_id: int) -> None:
        """Press Trigger, not on a second that a calendar can name: that would count as a slot."""
        if now().second in {59, 0}:
            await asyncio.sleep(2)
        await self.works.schedule(rule_id).trigger()

    async def exceptions(self) -> list[tuple[str, str]]:
        """Return kind and field of what waits for a person."""
        async with self.house.database.transaction() as session:
            return [(row.kind, row.field) for row in await tasks.list_exceptions(session)]


@asynccontextmanager
async def open_office(house: House, works: Clockwork) -> AsyncIterator[Office]:
    """Open the office; its rules are old enough to have had slots."""
    works.queue, works.at = house.settings.task_queue, LONG_AGO

    async def connect() -> Any:
        return house.client

    app = make_app(house.settings, house.database, connect)
    async with calling(house, app) as http:
        yield Office(house, works, http)
    await works.clear()
    # The ids of runs are those of their times: what outlived its worker would be the next test's.
    with suppress(TimeoutError):
        await eventually(lambda: _none_of(house.client, ("DunningTick", "DunningSlot")), 5)
    async for one in house.client.list_workflows(_RUNNING):
        with suppress(RPCError):
            await house.client.get_workflow_handle(one.id).terminate()


_RUNNING = "WorkflowType STARTS_WITH 'Dunning' AND ExecutionStatus = 'Running'"


async def _none_of(client: Client, types: Sequence[str]) -> bool | None:
    left = [one.id async for one in client.list_workflows(_RUNNING) if one.workflow_type in types]
    return None if left else True


@asynccontextmanager
async def calling(house: House, app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Call an API as its operator."""
    token = house.settings.api_token.get_secret_value()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://test",
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    ) as http:
        yield http
