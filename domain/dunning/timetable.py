"""When a rule runs: weekly, every two weeks, monthly or daily at an hour of an IANA zone.

A run is named by its slot, the local time on the calendar (``2026-03-29T02:00``), whatever the
clocks do. An hour that does not exist (the clock is put forward) runs when it would have come: at
03:00 summer time for 02:00. An hour that comes twice runs the second time, as the calendars of
Temporal do. Rules do run on holidays (X12).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)


class Interval(StrEnum):
    """How often a rule runs (Intervall)."""

    DAILY = "daily"
    WEEKLY = "weekly"
    BIWEEKLY = "biweekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its slot (local, without zone) and the instant it comes at (UTC)."""

    slot: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Timetable:
    """The days and the hour of a rule. ``weekday`` is None for daily rules only.

    Nothing runs before ``start``. Every two weeks counts from the first such weekday on or after
    it (X9): days are counted, not hours, so a change of the clocks does not move anything.
    """

    interval: Interval
    weekday: str | None
    hour: int
    start: date

    def runs_on(self, day: date) -> bool:
        """Tell whether the rule runs on that local day."""
        if day < self.start:
            return False
        if self.weekday is None:
            return True
        if WEEKDAYS[day.weekday()] != self.weekday:
            return False
        if self.interval is Interval.MONTHLY:
            return day.day <= 7
        if self.interval is Interval.BIWEEKLY:
            return (day - next_weekday(self.start, self.weekday)).days % 14 == 0
        return True

    def run(self, day: date, zone: ZoneInfo) -> Run:
        """Return the run of a local day."""
        slot = datetime.combine(day, time(self.hour))
        # The later one: the second of two, and for a missing hour the offset of before.
        return Run(slot, max(_instants(slot, zone)))

    def is_missing(self, day: date, zone: ZoneInfo) -> bool:
        """Tell whether the clocks skip the rule's hour on that day."""
        before, after = _instants(datetime.combine(day, time(self.hour)), zone)
        return before > after

    def slot_at(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the slot that an instant stands for; None where the rule is not due then.

        Both passes of an hour that comes twice stand for the same slot: who takes it a second time
        finds everything done.
        """
        local = at.astimezone(zone)
        slot = datetime.combine(local.date(), time(self.hour))
        if not self.runs_on(slot.date()):
            return None
        on_time = local.replace(tzinfo=None) == slot or self.run(slot.date(), zone).at == at
        return slot if on_time else None


def _instants(slot: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the instants of a local time by the offsets of before and after a change of clocks."""
    first, second = (slot.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second


def next_weekday(day: date, weekday: str) -> date:
    """Return the day itself or the next one that is that weekday."""
    return day + timedelta(days=(WEEKDAYS.index(weekday) - day.weekday()) % 7)


def runs_after(table: Timetable, zone: ZoneInfo, after: datetime) -> Iterator[Run]:
    """Return every run whose instant lies after an instant, one after the other, without end."""
    day = max(after.astimezone(zone).date() - _DAY, table.start)
    while True:
        if table.runs_on(day):
            run = table.run(day, zone)
            if run.at > after:
                yield run
        day += _DAY


def runs_between(
    table: Timetable, zone: ZoneInfo, after: datetime, until: datetime
) -> Iterator[Run]:
    """Return the runs after an instant, up to and with another one."""
    return takewhile(lambda run: run.at <= until, runs_after(table, zone, after))


def next_runs(table: Timetable, zone: ZoneInfo, after: datetime, count: int = 5) -> list[Run]:
    """Return the next runs after an instant."""
    return list(islice(runs_after(table, zone, after), count))


def first_start(
    interval: Interval, weekday: str | None, hour: int, zone: ZoneInfo, now: datetime
) -> date:
    """Return the start date of a rule that names none: the next matching day that still comes."""
    today = now.astimezone(zone).date()
    every_week = Interval.DAILY if interval is Interval.DAILY else Interval.WEEKLY
    return next(runs_after(Timetable(every_week, weekday, hour, today), zone, now)).slot.date()
