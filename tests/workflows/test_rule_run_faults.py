"""Runs of rules that fail, are cancelled or lose their worker; and nobody there to run them."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import CancelledError

from activities import rule_runs
from activities.failpoints import DIED, Armed, Failpoint, Mode, Passage, Point, Points
from domain.company import Company
from models.run_messages import PageRequest
from models.settings import Settings
from models.store.database import Database
from starter import rule_runs as run_now
from starter.api.app import make_app
from starter.rule_runs import resume_runs

from .clockwork import Clockwork
from .house import House, eventually, now
from .office import FRIDAY, MARK, PATIENCE, PLAIN, Office, calling, open_office
from .opening import open_house, replay_all

ROOT = Path(__file__).resolve().parents[2]


class Holding(Points):
    """Holds a run in the middle of its second page until it is let go."""

    def __init__(self) -> None:
        self.held, self.go = asyncio.Event(), asyncio.Event()

    async def passed(self, passage: Passage) -> None:
        """Hold the page, if this is the one."""
        request = passage.request
        second = isinstance(request, PageRequest) and request.after
        if second and passage.point is Point.AFTER_COMMIT and not self.go.is_set():
            self.held.set()
            await self.go.wait()


Open = Callable[[Points], Any]


@pytest.fixture
def opened(
    client: Client, database: Database, settings: Settings, company: Company, works: Clockwork
) -> Open:
    """A function that opens an office in which something goes wrong."""

    @asynccontextmanager
    async def open_with(points: Points) -> AsyncIterator[Office]:
        async with open_house(client, database, settings, company, points=points) as house:
            async with open_office(house, works) as office:
                yield office
            assert await replay_all(house)

    return open_with


async def test_a_rule_that_fails_does_not_keep_the_others(opened: Open) -> None:
    """Its run becomes an exception with a task; the next run of the rule makes that good."""
    refusal = Armed(Failpoint(Point.BEFORE_EFFECT, "select_customers", Mode.REFUSE))
    async with opened(refusal) as office:
        await office.owe(1)
        rule_id = await office.works.add(PLAIN, name="b", priority=1, start_date="2026-11-06")
        await office.works.add(MARK, name="sound", priority=2, start_date="2026-11-06")
        await office.works.keep()
        await office.fire(rule_id, FRIDAY)
        assert (await office.runs(1))[0][:3] == ("sound", "scheduled", 1)
        name = f"dunning-run-{rule_id}-2026-11-20T12:00"

        async def reported() -> bool | None:
            return ("run_failed", name) in await office.exceptions() or None

        await eventually(reported, PATIENCE)
        query = "select title, status, assignee from task where kind = 'run_failed'"
        assert await office.rows(query) == [("A run of the rule 'b' failed", "open", "admin")]
        await office.run("b")
        assert ("run_failed", name) not in await office.exceptions()
        assert (await office.rows(query))[0][1] == "done"


async def test_a_cancelled_run_is_over(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page under way is finished, the rest is left, and nobody goes on with it."""
    monkeypatch.setattr(rule_runs, "PAGE", 2)
    holding = Holding()
    async with opened(holding) as office:
        await office.owe(7)
        rule_id = await office.works.add(PLAIN)
        running = asyncio.create_task(office.http.post("/api/rules/Erste%20Mahnung/run"))
        await asyncio.wait_for(holding.held.wait(), 30)
        (key,) = (await office.rows("select key from dunning_run"))[0]
        handle = office.house.client.get_workflow_handle(key)
        await handle.cancel()
        holding.go.set()
        with pytest.raises(WorkflowFailureError) as ended:
            await handle.result()
        assert isinstance(ended.value.cause, CancelledError)
        counts = await office.rows("select taken, handed_over from dunning_run")
        assert counts == [(7, 4)]
        assert (await office.works.history(rule_id))[-1].startswith("Cancelled in Temporal")
        await office.rows(
            "update dunning_run set selected_at = now() - interval '1 hour' returning 1"
        )
        client, database, at = office.house.client, office.house.database, now()
        assert await resume_runs(client, database, at, office.works.queue) == 0
        assert (await running).status_code in {200, 409}


async def test_a_worker_killed_in_the_middle_of_a_page(house: House, works: Clockwork) -> None:
    """Another worker goes on with the page; every customer is in, the report is whole."""
    async with open_office(house, works) as office:
        await _killed(office)


async def _killed(office: Office) -> None:
    house, client = office.house, office.house.client
    settings = house.settings
    numbers = await office.owe(7)
    rule_id = await office.works.add(PLAIN)
    failpoint = "after_commit:hand_over:exit:1"
    environment = os.environ | {
        "ZAHLTAG_FAILPOINT": failpoint,
        "ZAHLTAG_DATABASE_URL": settings.database_url.get_secret_value(),
        "ZAHLTAG_TEMPORAL_ADDRESS": client.service_client.config.target_host,
        "ZAHLTAG_TASK_QUEUE": "killed",
        "ZAHLTAG_MAILBOX_DIR": str(settings.mailbox_dir),
        "ZAHLTAG_SECRET_KEY": settings.secret_key.get_secret_value(),
    }
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "worker", env=environment, cwd=ROOT
    )
    start = run_now.RunStart(rule_id=rule_id, asked_by="admin")
    key = f"dunning-run-{rule_id}-now-killed"
    await run_now.start_run(client, key, start, "Erste Mahnung", "killed")
    assert await asyncio.wait_for(worker.wait(), 60) == DIED
    ((handed_over, finished),) = await office.rows(
        "select handed_over, finished_at from dunning_run"
    )
    assert (handed_over, finished) == (0, None)  # their cases are open, and nobody was told
    async with open_house(client, house.database, settings, house.company, queue="killed"):
        report = await asyncio.wait_for(client.get_workflow_handle(key).result(), 60)
        assert (report["matched"], report["handed_over"]) == (7, 7)
        await office.told(numbers, 1)


async def test_nobody_there_to_run_it(
    house: House, works: Clockwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No worker: it is queued, and that is said. No Temporal: nothing was started."""
    monkeypatch.setattr(run_now, "PATIENCE", 0.3)
    async with open_office(house, works) as office:
        await office.owe(1)
        rule_id = await office.works.add(PLAIN, paused=True)
        lonely = house.settings.model_copy(update={"task_queue": "nobody"})

        async def connect() -> Client:
            return house.client

        async def fail() -> Client:
            raise RuntimeError("nobody is there")

        for reach, expected in ((connect, 200), (fail, 503)):
            app = make_app(lonely, house.database, reach)
            async with calling(house, app) as http:
                answer = await http.post("/api/rules/Erste%20Mahnung/run")
                assert answer.status_code == expected
                if expected == 200:
                    assert answer.json()["status"] == "waiting"
                    key = answer.json()["run"]
                    assert key.startswith(f"dunning-run-{rule_id}-now-")
                else:
                    assert "Temporal is away, so the rule was not run" in answer.json()["error"]
        await house.client.get_workflow_handle(key).terminate()
        assert await office.rows("select 1 from dunning_run") == []
