"""The Temporal Schedule that a rule should have, and in what another one differs from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.converter import DataConverter

from domain.dunning.ticks import PATIENCE
from domain.dunning.timetable import WEEKDAYS, Interval, Timetable
from models import search_keys
from models.messages import RuleCalled
from models.store.dunning.rules import StoredRule

PREFIX = "dunning-rule-"
TICK = "DunningTick"
NOTE = "Kept by Zahltag; `zahltag rule pause` and `zahltag rule resume` are the way to change it."
# How far ahead the hours are looked up that the clocks skip.
_AHEAD, _BEHIND = timedelta(days=400), timedelta(days=2)
_DAY = timedelta(days=1)


def schedule_id(rule_id: int) -> str:
    """Return the id of a rule's Schedule."""
    return f"{PREFIX}{rule_id}"


def rule_id_of(name: str) -> int | None:
    """Return the rule whose Schedule bears that id; None for a Schedule that is not ours."""
    number = name.removeprefix(PREFIX)
    return int(number) if name.startswith(PREFIX) and number.isdecimal() else None


def schedule_of(
    stored: StoredRule, zone: ZoneInfo, task_queue: str, now: datetime, *, paused: bool
) -> Schedule:
    """Return the Schedule that the rule should have.

    Any number of ticks may run at once: each is about its own slot, and none is lost when no worker
    takes one for days. That no customer is met twice is the business of slots and claims.
    """
    return Schedule(
        action=ScheduleActionStartWorkflow(
            TICK,
            RuleCalled(rule_id=stored.id),
            id=f"dunning-tick-{stored.id}",
            task_queue=task_queue,
            static_summary=f"Rule {stored.rule.name}: is it due?",
            typed_search_attributes=TypedSearchAttributes(
                [SearchAttributePair(search_keys.CASE_KIND, "dunning_tick")]
            ),
        ),
        spec=ScheduleSpec(
            calendars=list(_calendars(stored.timetable, zone, now)),
            start_at=datetime.combine(stored.start_date, time(), zone),
            time_zone_name=zone.key,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.ALLOW_ALL, catchup_window=PATIENCE),
        state=ScheduleState(paused=paused, note=NOTE),
    )


def _calendars(table: Timetable, zone: ZoneInfo, now: datetime) -> Iterator[ScheduleCalendarSpec]:
    """Yield the rule's calendar, and an entry for each day whose clocks skip its hour.

    Temporal leaves such a day out; the rule runs when the hour would have come.
    """
    days = () if table.weekday is None else ((WEEKDAYS.index(table.weekday) + 1) % 7,)
    first_days = (ScheduleRange(1, 7),) if table.interval is Interval.MONTHLY else ()
    yield ScheduleCalendarSpec(
        hour=(ScheduleRange(table.hour),),
        day_of_month=first_days or (ScheduleRange(1, 31),),
        day_of_week=tuple(map(ScheduleRange, days)) or (ScheduleRange(0, 6),),
        comment="every two weeks: DunningTick knows which"
        if table.interval is Interval.BIWEEKLY
        else "",
    )
    for day in _skipped(table, zone, now):
        local = table.run(day, zone).at.astimezone(zone)
        yield ScheduleCalendarSpec(
            year=(ScheduleRange(day.year),),
            month=(ScheduleRange(day.month),),
            day_of_month=(ScheduleRange(day.day),),
            hour=(ScheduleRange(local.hour),),
            minute=(ScheduleRange(local.minute),),
            comment="the clocks skip its hour on that day",
        )


def _skipped(table: Timetable, zone: ZoneInfo, now: datetime) -> Iterator[date]:
    day = (now - _BEHIND).astimezone(zone).date()
    for _ in range((_AHEAD + _BEHIND).days):
        if table.is_missing(day, zone) and table.runs_on(day):
            yield day
        day += _DAY


async def differences(wanted: Schedule, there: Schedule, converter: DataConverter) -> list[str]:
    """Return in what a Schedule differs from the one that it should be; its pause apart."""
    parts = {
        "times": (_times(wanted.spec), _times(there.spec)),
        "action": (await _action(wanted, converter), await _action(there, converter)),
        "policy": (wanted.policy, there.policy),
        "number of runs": (wanted.state.limited_actions, there.state.limited_actions),
    }
    return [name for name, (here, other) in parts.items() if here != other]


def _times(spec: ScheduleSpec) -> tuple[Any, ...]:
    calendars = sorted(
        tuple(
            _ranges(part)
            for part in (
                one.second,
                one.minute,
                one.hour,
                one.day_of_month,
                one.month,
                one.year,
                one.day_of_week,
            )
        )
        for one in spec.calendars
    )
    others = (len(spec.intervals), len(spec.cron_expressions), len(spec.skip))
    start = spec.start_at.astimezone(UTC) if spec.start_at else None
    return calendars, others, start, spec.end_at, spec.jitter or None, spec.time_zone_name


def _ranges(ranges: Sequence[ScheduleRange]) -> tuple[tuple[int, int, int], ...]:
    return tuple((one.start, max(one.start, one.end), one.step or 1) for one in ranges)


async def _action(schedule: Schedule, converter: DataConverter) -> tuple[Any, ...]:
    action = schedule.action
    if not isinstance(action, ScheduleActionStartWorkflow):
        return (type(action),)
    arguments = list(action.args)
    if arguments and all(isinstance(one, Payload) for one in arguments):
        try:
            arguments = await converter.decode(arguments, [RuleCalled] * len(arguments))
        except Exception as error:  # noqa: BLE001 - what nobody can read is not what it should be
            arguments = [type(error).__name__]
    limits = (action.execution_timeout, action.run_timeout, action.retry_policy)
    return action.workflow, action.id, action.task_queue, arguments, limits
