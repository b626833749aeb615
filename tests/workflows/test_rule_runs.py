"""Rules run: by their Schedules in the order of their slot, by hand, and on after every fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text
from temporalio.service import RPCError

from activities import rule_runs
from connectors.mailbox import list_mails
from models.dunning_tables import AccountManager
from starter.rule_runs import resume_runs
from tests.domain.dunning.rules import O1

from .clockwork import Clockwork
from .house import House, eventually, now
from .office import FRIDAY, MARK, PATIENCE, PLAIN, TELL, Office, open_office

# Which of both depends on whether the customer's case has proposed its notice by then.
TAKEN = {"this customer was taken today already", "a notice to this customer is under way already"}


@pytest_asyncio.fixture
async def office(house: House, works: Clockwork) -> AsyncIterator[Office]:
    """An office with the whole product behind it."""
    async with open_office(house, works) as opened:
        yield opened


async def test_a_slot_runs_its_rules_in_their_order(office: Office) -> None:
    """J11, J12: both Schedules fire at once; the first rule takes the day, whichever fired first."""
    numbers = await office.owe(3)
    ids = [
        await office.works.add(PLAIN, name=name, priority=place, start_date="2026-11-06")
        for name, place in (("second", 2), ("first", 1), ("another hour", 3))
    ]
    await office.works.edit(PLAIN, name="another hour", hour=13, start_date="2026-11-06")
    await office.works.keep()
    await asyncio.gather(*(office.fire(rule_id, FRIDAY) for rule_id in ids))
    runs = await office.runs(2)
    assert [(name, kind, taken) for name, kind, taken, _ in runs] == [
        ("first", "scheduled", 3),
        ("second", "scheduled", 0),
    ]
    reasons = {reason for (reason,) in await office.rows("select reason from dunning_skip")}
    assert reasons <= TAKEN
    await office.told(numbers, 1)
    slot = office.house.client.get_workflow_handle("dunning-slot-2026-11-20T12:00")
    said = await slot.result()
    assert "first: 3 matched, 3 handed over" in said

    # Fired once more, and from outside the timetable: nothing is done twice.
    await office.fire(ids[0], FRIDAY)
    await office.fire(ids[2], FRIDAY + timedelta(hours=1))
    assert len(await office.runs(3)) == 3
    assert await office.taken("first") == 3
    assert (await office.runs(3))[2][:3] == ("another hour", "scheduled", 0)


async def test_a_press_of_trigger_runs_it_now(office: Office) -> None:
    """J4, X10: by an operator in Temporal, also while the rule is paused."""
    await office.owe(2)
    rule_id = await office.works.add(PLAIN, paused=True)
    await office.works.keep()
    await office.press_trigger(rule_id)
    runs = await office.runs(1)
    assert runs == [("Erste Mahnung", "now", 2, "operator via Temporal")]
    assert (await office.works.history(rule_id))[-1] == (
        "Ran (run now by operator via Temporal): 2 matched, 2 handed over, 0 skipped"
    )


async def test_run_now_and_the_slot_of_the_same_day_double_nothing(office: Office) -> None:
    """X10: whichever comes first; a second run of the day says why for each customer."""
    numbers = await office.owe(5)
    rule_id = await office.works.add(PLAIN, start_date="2026-11-06")
    await office.works.keep()
    first, second = await asyncio.gather(office.run("Erste Mahnung"), office.run("Erste Mahnung"))
    assert first["matched"] == second["matched"] == 5
    assert first["handed_over"] + second["handed_over"] == 5
    third = await office.run("Erste Mahnung")
    assert (third["matched"], third["handed_over"]) == (5, 0)
    assert [one["customer_no"] for one in third["skipped"]] == numbers
    assert {one["reason"] for one in third["skipped"]} <= TAKEN
    await office.fire(rule_id, FRIDAY)
    assert (await office.runs(4))[3][1:3] == ("scheduled", 0)
    await office.told(numbers, 1)
    cases = await office.rows("select count(*) from case_file where kind = 'dunning'")
    assert cases == [(5,)]


async def test_a_slot_of_another_week_does_nothing(office: Office) -> None:
    """X9: the Schedule fires every week, the rule runs every second one."""
    await office.owe(1)
    document = {**PLAIN, **{key: O1[key] for key in ("interval", "weekday", "hour")}}
    rule_id = await office.works.add(document, start_date="2026-11-10")
    await office.works.keep()
    for week, expected in ((17, "not due then"), (10, "Started: dunning-slot-2026-11-10T16:00")):
        at = datetime(2026, 11, week, 15, 0, tzinfo=UTC)
        await office.fire(rule_id, at)
        tick = f"dunning-tick-{rule_id}-2026-11-{week}T15:00:00Z"

        async def said(name: str = tick) -> str | None:
            try:
                return str(await office.house.client.get_workflow_handle(name).result())
            except RPCError:
                return None

        assert expected in await eventually(said, PATIENCE)
    assert len(await office.runs(1)) == 1


async def test_page_after_page(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Continued as new in between; each customer is handed over once."""
    monkeypatch.setattr(rule_runs, "PAGE", 2)
    numbers = await office.owe(31)
    await office.works.add(PLAIN)
    report = await office.run("Erste Mahnung")
    assert (report["matched"], report["handed_over"]) == (31, 31)
    await office.told(numbers, 1)
    history = await office.house.client.get_workflow_handle(report["run"]).fetch_history()
    assert history.events[0].workflow_execution_started_event_attributes.continued_execution_run_id


async def test_customers_are_marked_once(office: Office) -> None:
    """K5: no case, no letter; a line in each history, and never a second one."""
    numbers = await office.owe(3)
    await office.know(numbers[0], problematic=True)
    await office.works.add(MARK)
    report = await office.run("Mark")
    assert (report["matched"], report["handed_over"]) == (3, 3)
    marked = "select count(*) from debtor where problematic"
    lines = "select case_id from history where event = 'marked_problematic' order by 1"
    assert await office.rows(marked) == [(3,)]
    assert await office.rows(lines) == [(f"dunning-{n}",) for n in numbers[1:]]
    again = await office.run("Mark")
    assert (again["handed_over"], len(again["skipped"])) == (0, 3)
    assert len(await office.rows(lines)) == 2
    assert await office.rows("select count(*) from case_file where kind = 'dunning'") == [(0,)]


async def test_each_account_manager_gets_one_mail(office: Office) -> None:
    """K6, X15: with the mail server away at first; who has no manager is a task."""
    numbers = await office.owe(6)
    await office.works.add(TELL)
    looked_after: Sequence[str] = ("Anna", "Anna", "Bert", "Cleo", "", "Rudi")
    for number, manager in zip(numbers, looked_after, strict=True):
        await office.know(number, manager=manager)
    async with office.house.database.transaction() as session:
        for name, email in (
            ("Anna", "anna@sample.example"),
            ("Bert", "bert@sample.example"),
            ("Cleo", ""),
            ("Rudi", "refused@brandt-soehne.example"),
        ):
            session.add(AccountManager(name=name, email=email, updated_at=now()))
    office.house.away.set()
    running = asyncio.create_task(office.run("Tell"))

    async def tried() -> bool | None:
        return bool(await office.rows("select 1 from outgoing_mail where outcome <> ''")) or None

    await eventually(tried, PATIENCE)
    office.house.away.clear()
    report = await running
    assert (report["matched"], report["handed_over"]) == (6, 6)
    again = await office.run("Tell")
    assert again["handed_over"] == 0
    assert office.house.settings.mailbox_dir
    mails = [m for m in list_mails(office.house.settings.mailbox_dir) if m.kind == "manager"]
    assert sorted(mail.to for mail in mails) == ["anna@sample.example", "bert@sample.example"]
    texts = await office.rows(
        "select kind, title, context from task where case_id like 'rule-%' order by kind"
    )
    assert [kind for kind, _, _ in texts] == ["manager_mail_failed", "no_account_manager"]
    assert texts[1][1].startswith("2 customers have no account manager")
    assert texts[1][2]["customers"] == numbers[3:5]
    assert [kind for kind, _ in await office.exceptions()] == ["manager_mail_failed"]


async def test_a_missed_slot_is_made_good_by_a_run(office: Office) -> None:
    """X19: "run now" is the repair."""
    await office.owe(1)
    office.works.at = FRIDAY - timedelta(hours=1)
    await office.works.add(PLAIN, start_date="2026-11-06")
    office.works.at = FRIDAY + timedelta(hours=25)
    await office.works.keep()
    assert await office.exceptions() == [("missed_slot", "2026-11-20T12:00")]
    await office.run("Erste Mahnung")
    assert await office.exceptions() == []


async def test_a_run_whose_workflow_is_gone_goes_on(office: Office) -> None:
    """The database knows how far it came: an empty Temporal loses no customer."""
    numbers = await office.owe(3)
    rule_id = await office.works.add(PLAIN)
    report = await office.run("Erste Mahnung")
    async with office.house.database.transaction() as session:
        await session.execute(text("update dunning_run set finished_at = null, handed_over = 1"))
        await session.execute(
            text("update dunning_run set selected_at = :at"), {"at": now() - timedelta(minutes=2)}
        )
    client, database = office.house.client, office.house.database
    assert await resume_runs(client, database, now(), office.works.queue) == 1
    assert (await office.runs(1))[0][2] == 3
    await office.told(numbers[:1], 1)
    await office.told(numbers[1:], 2)
    assert await resume_runs(client, database, now(), office.works.queue) == 0
    assert (await office.works.history(rule_id))[-1].endswith("3 handed over, 0 skipped")
    assert report["run"].startswith(f"dunning-run-{rule_id}-now-")
