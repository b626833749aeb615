"""Every rule has its Schedule in Temporal, whatever happens to either side (X19)."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
)
from temporalio.service import RPCError

from activities import schedules
from activities.schedule_specs import schedule_of
from domain.dunning.timetable import next_runs
from models.store import tasks
from models.store.dunning import rules
from tests.domain.dunning.rules import O1, O2

from .clockwork import NOW, Clockwork
from .house import eventually

BERLIN = ZoneInfo("Europe/Berlin")


async def test_a_rule_has_its_schedule(works: Clockwork) -> None:
    """The calendar in the company's zone, its policy, and what it starts; then nothing changes."""
    rule_id = await works.add(O2)
    await works.keep()
    found = await works.there(rule_id)
    spec, policy = found.schedule.spec, found.schedule.policy
    assert spec.time_zone_name == "Europe/Berlin"
    assert spec.start_at == datetime(2026, 11, 1, tzinfo=BERLIN)
    (calendar,) = spec.calendars
    assert [calendar.hour[0].start, calendar.day_of_week[0].start] == [12, 5]
    assert policy.catchup_window == timedelta(hours=24)
    action = found.schedule.action
    assert isinstance(action, ScheduleActionStartWorkflow)
    assert (action.workflow, action.id) == ("DunningTick", f"dunning-tick-{rule_id}")
    assert not found.schedule.state.paused
    updated = found.info.last_updated_at
    await works.keep()
    assert (await works.there(rule_id)).info.last_updated_at == updated


@pytest.mark.parametrize(
    ("interval", "weekday"),
    [("weekly", "sunday"), ("biweekly", "sunday"), ("monthly", "sunday"), ("daily", None)],
)
@pytest.mark.parametrize("hour", [2, 9])
async def test_temporal_fires_when_the_timetable_says(
    works: Clockwork, interval: str, weekday: str | None, hour: int
) -> None:
    """Over both changes of the clocks, also at the hour that is skipped or comes twice."""
    for start in (date(2027, 3, 21), date(2027, 10, 24)):
        document = {**O2, "interval": interval, "weekday": weekday, "hour": hour}
        document = {key: value for key, value in document.items() if value is not None}
        await works.add(document, name=f"{start}", start_date=start.isoformat())
        stored = await works.rule(f"{start}")
        wanted = schedule_of(stored, BERLIN, "q", works.at, paused=True)
        handle = await works.client.create_schedule(f"dunning-rule-9{stored.id}", wanted)
        fires = (await handle.describe()).info.next_action_times
        table = stored.timetable
        due = [at for at in fires if table.slot_at(at, BERLIN)]
        assert len(due) >= 5
        assert due == [run.at for run in next_runs(table, BERLIN, works.at, len(due))]


async def test_an_edit_and_a_drift_are_made_good(works: Clockwork) -> None:
    """The database wins: over what it said before, and over what somebody typed in Temporal."""
    rule_id = await works.add(O2)
    await works.keep()
    await works.edit(O2, hour=13, weekday="monday")
    await works.keep()
    (calendar,) = (await works.there(rule_id)).schedule.spec.calendars
    assert [calendar.hour[0].start, calendar.day_of_week[0].start] == [13, 1]

    def meddle(now: Any) -> ScheduleUpdate:
        schedule: Schedule = now.description.schedule
        schedule.spec = ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(3)])])
        schedule.policy.catchup_window = timedelta(days=300)
        schedule.action.id = "something-else"  # type: ignore[union-attr]
        return ScheduleUpdate(schedule=schedule)

    await works.schedule(rule_id).update(meddle)
    await works.keep()
    found = (await works.there(rule_id)).schedule
    assert found.spec.calendars[0].hour[0].start == 13
    assert found.spec.time_zone_name == "Europe/Berlin"
    assert found.policy.catchup_window == timedelta(hours=24)
    assert found.action.id == f"dunning-tick-{rule_id}"  # type: ignore[union-attr]


async def test_a_pause_on_either_side_holds(works: Clockwork) -> None:
    """Only `rule resume` lifts it."""
    rule_id = await works.add(O2)
    await works.keep()
    await works.pause("Erste Mahnung")
    await works.keep()
    assert await works.is_paused(rule_id)
    await works.schedule(rule_id).unpause()  # is taken back
    await works.keep()
    assert await works.is_paused(rule_id)
    assert (await works.rule()).paused
    await works.pause("Erste Mahnung", paused=False)
    await works.keep()
    assert not await works.is_paused(rule_id)

    await works.schedule(rule_id).pause(note="month-end")
    await works.keep()
    assert (await works.rule()).paused
    assert (await works.history(rule_id))[-1] == "Paused in Temporal"
    await works.keep()
    assert await works.is_paused(rule_id)
    await works.pause("Erste Mahnung", paused=False)
    await works.keep()
    assert not await works.is_paused(rule_id)
    assert not (await works.rule()).paused


async def test_a_deleted_schedule_comes_back_paused_with_a_task(works: Clockwork) -> None:
    """Whoever deleted it meant something: a person decides."""
    rule_id = await works.add(O2)
    await works.keep()
    await works.schedule(rule_id).delete()
    await works.keep()
    assert await works.is_paused(rule_id)
    assert (await works.rule()).paused
    assert await works.tasks() == [
        "The Schedule of the rule 'Erste Mahnung' was deleted in Temporal"
    ]
    assert (await works.history(rule_id))[1].startswith("Paused: its Schedule was deleted")
    await works.keep()
    assert len(await works.tasks()) == 1


async def test_another_temporal_gets_them_anew(works: Clockwork) -> None:
    """An empty Temporal database is no order to stop: each comes back as it was, without a task."""
    active, paused = await works.add(O2), await works.add(O1, paused=True)
    await works.keep()
    await works.clear()
    async with works.database.transaction() as session:
        await session.execute(text("update dunning_rule set scheduled_in = 'the one before'"))
    await works.keep()
    assert [await works.is_paused(one) for one in (active, paused)] == [False, True]
    assert not (await works.rule()).paused
    assert await works.tasks() == []


async def test_what_belongs_to_no_rule_is_deleted(works: Clockwork) -> None:
    """Schedules of removed rules, and of rules that a restored database does not know."""
    rule_id = await works.add(O2)
    await works.keep()
    async with works.database.transaction() as session:
        stranger = schedule_of(await rules.get(session, O2["name"]), BERLIN, "q", NOW, paused=True)
        await rules.remove(session, O2["name"], at=NOW, by="admin")
    await works.client.create_schedule("dunning-rule-4711", stranger)
    foreign = Schedule(action=stranger.action, spec=ScheduleSpec(), state=ScheduleState())
    await works.client.create_schedule("somebody-elses", foreign)

    async def listed() -> bool | None:
        found = [one.id async for one in await works.client.list_schedules()]
        return "dunning-rule-4711" in found or None

    await eventually(listed)
    await works.keep()
    for name in (f"dunning-rule-{rule_id}", "dunning-rule-4711"):
        with pytest.raises(RPCError, match="not found"):
            await works.client.get_schedule_handle(name).describe()
    await works.client.get_schedule_handle("somebody-elses").delete()


async def test_the_doctor_names_what_differs(works: Clockwork) -> None:
    """Missing, changed, paused on one side only; and nothing where all is well."""
    for name in ("missing", "moved", "paused", "fine"):
        await works.add(O2, name=name)
    found = await schedules.inspect(works.client, works.database, works.queue, works.at)
    assert found == [f"{name}: it is missing" for name in ("missing", "moved", "paused", "fine")]
    await works.keep()
    await works.schedule((await works.rule("missing")).id).delete()
    await works.edit(O2, name="moved", hour=5)
    await works.pause("paused")
    found = await schedules.inspect(works.client, works.database, works.queue, works.at)
    assert found == ["missing: it is missing", "moved: times", "paused: pause"]


async def test_many_reconcilers_at_once_do_no_harm(works: Clockwork) -> None:
    """Five at the same time, while rules are added, paused and deleted in Temporal."""
    ids = [await works.add(O2, name=f"Rule {n}") for n in range(3)]
    await asyncio.gather(*(works.keep() for _ in range(5)))
    await works.pause("Rule 0")
    await works.schedule(ids[1]).delete()
    await works.schedule(ids[2]).pause()
    await asyncio.gather(*(works.keep() for _ in range(5)))
    assert [await works.is_paused(one) for one in ids] == [True, True, True]
    assert [(await works.rule(f"Rule {n}")).paused for n in range(3)] == [True, True, True]
    assert len(await works.tasks()) == 1
    assert (await works.history(ids[2]))[1:] == ["Paused in Temporal"]


async def test_a_missed_slot_waits_for_a_person_once(works: Clockwork) -> None:
    """More than 24 hours ago, of an active rule, since it was made or resumed; then never again."""
    works.at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)  # Friday, before 12:00
    await works.add(O2)
    await works.add(O2, name="sleeping", paused=True)
    await works.keep()
    works.at += timedelta(days=1, hours=1)
    await works.keep()
    assert await works.missed() == []
    works.at += timedelta(hours=1, minutes=1)
    await works.keep()
    assert await works.missed() == ["2026-11-20T12:00"]
    async with works.database.transaction() as session:
        (found,) = await tasks.list_exceptions(session)
        assert "zahltag rule run 'Erste Mahnung'" in found.expected
        found.resolved_at = works.at
        session.add(found)
    await works.keep()
    works.at += timedelta(days=14)
    await works.keep()
    assert await works.missed() == ["2026-11-27T12:00", "2026-12-04T12:00"]
    await works.pause("sleeping", paused=False)
    await works.keep()
    assert len(await works.missed()) == 2
