"""When rules run: the real calendar of the examples, changes of the clocks, both parities."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.dunning.timetable import (
    WEEKDAYS,
    Interval,
    Timetable,
    first_start,
    next_runs,
    next_weekday,
)

BERLIN = ZoneInfo("Europe/Berlin")
D0 = date(2026, 3, 3)  # a Tuesday
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Asia/Beirut"]


def days(table: Timetable, after: datetime, count: int = 5) -> list[date]:
    """The local days of the next runs in Berlin."""
    return [run.slot.date() for run in next_runs(table, BERLIN, after, count)]


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """An instant by Berlin's clocks."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN)


def test_the_calendar_of_the_chain() -> None:
    """O4: D0 Tue 16:00, D+10 Fri 12:00, D+27 Mon 09:00 the day after the change, else D+34."""
    reminder = Timetable(Interval.BIWEEKLY, "tuesday", 16, D0)
    notice = Timetable(Interval.WEEKLY, "friday", 12, D0)
    even = Timetable(Interval.BIWEEKLY, "monday", 9, date(2026, 3, 2))
    odd = Timetable(Interval.BIWEEKLY, "monday", 9, date(2026, 3, 9))
    assert days(reminder, at(D0, 15), 3) == [D0, date(2026, 3, 17), date(2026, 3, 31)]
    assert days(notice, at(D0, 16), 2) == [D0 + timedelta(3), D0 + timedelta(10)]
    after_14_days = at(D0 + timedelta(24), 12)
    assert days(even, after_14_days, 1) == [D0 + timedelta(27)]
    assert days(odd, after_14_days, 1) == [D0 + timedelta(34)]  # Easter Monday: rules run (X12)
    (run,) = next_runs(even, BERLIN, after_14_days, 1)
    assert run.at == datetime(2026, 3, 30, 7, tzinfo=UTC)  # 09:00 summer time
    assert next_runs(even, BERLIN, at(D0, 0), 1)[0].at == datetime(2026, 3, 16, 8, tzinfo=UTC)


def test_every_two_weeks_stays_in_its_weeks_for_years() -> None:
    """X9: two changes of the clocks a year move nothing; nor does a year of 53 weeks."""
    table = Timetable(Interval.BIWEEKLY, "tuesday", 16, D0)
    found = days(table, at(D0, 0), 200)
    assert {(later - day).days for day, later in pairwise(found)} == {14}
    assert found[0] == D0


def test_a_start_on_another_weekday_begins_with_the_next_matching_one() -> None:
    """Nothing runs before the start date; parity counts from the first day that matches."""
    table = Timetable(Interval.BIWEEKLY, "tuesday", 16, date(2026, 3, 4))
    assert days(table, at(D0, 0), 2) == [date(2026, 3, 10), date(2026, 3, 24)]


def test_monthly_is_the_first_such_weekday() -> None:
    """Of each month, from the start on."""
    table = Timetable(Interval.MONTHLY, "monday", 8, date(2026, 3, 3))
    assert days(table, at(D0, 0), 4) == [
        *(date(2026, 4, 6), date(2026, 5, 4), date(2026, 6, 1), date(2026, 7, 6))
    ]


def test_an_hour_that_does_not_exist_comes_an_hour_later() -> None:
    """2026-03-29 has no 02:00 in Berlin: the run comes at 03:00 summer time, once."""
    table = Timetable(Interval.DAILY, None, 2, D0)
    runs = next_runs(table, BERLIN, at(date(2026, 3, 28), 12), 2)
    assert [run.at for run in runs] == [
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 3, 30, 0, tzinfo=UTC),
    ]
    assert runs[0].slot == datetime(2026, 3, 29, 2)  # noqa: DTZ001 - a slot is local


def test_an_hour_that_comes_twice_runs_once() -> None:
    """2026-10-25 has 02:00 twice in Berlin: the second counts, as Temporal's calendars have it."""
    table = Timetable(Interval.DAILY, None, 2, D0)
    runs = next_runs(table, BERLIN, datetime(2026, 10, 24, 20, tzinfo=UTC), 2)
    assert [run.at for run in runs] == [
        datetime(2026, 10, 25, 1, tzinfo=UTC),
        datetime(2026, 10, 26, 1, tzinfo=UTC),
    ]
    between = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
    assert next_runs(table, BERLIN, between, 1)[0].slot.day == 26


def test_a_rule_begins_as_soon_as_it_can() -> None:
    """J6: today if its hour still comes, else with the next matching day."""
    day = date(2026, 3, 3)
    for hour, start in ((16, day), (15, date(2026, 3, 10))):
        found = first_start(Interval.BIWEEKLY, "tuesday", hour, BERLIN, at(day, 15, 0))
        assert found == start
    assert first_start(Interval.DAILY, None, 15, BERLIN, at(day, 15, 30)) == date(2026, 3, 4)
    assert first_start(Interval.MONTHLY, "friday", 9, BERLIN, at(day, 15)) == date(2026, 3, 6)


@pytest.mark.parametrize("zone", ZONES)
@given(
    interval=st.sampled_from(Interval),
    weekday=st.sampled_from(WEEKDAYS),
    hour=st.integers(0, 23),
    start=st.dates(date(2025, 1, 1), date(2027, 12, 31)),
    minutes=st.integers(0, 3 * 365 * 24 * 60),
)
def test_runs_are_in_order_and_complete(
    zone: str, interval: Interval, weekday: str, hour: int, start: date, minutes: int
) -> None:
    """Each run is later than the one before, on a right day, and none is left out."""
    named = None if interval is Interval.DAILY else weekday
    table, place = Timetable(interval, named, hour, start), ZoneInfo(zone)
    after = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    runs = next_runs(table, place, after, 4)
    instants = [run.at for run in runs]
    assert instants == sorted(set(instants))
    assert instants[0] > after
    for run in runs:
        assert table.runs_on(run.slot.date())
        local = run.at.astimezone(place)
        assert local.replace(tzinfo=None, minute=0) - run.slot <= timedelta(hours=1)
    # Asked in between, the rest is the same: a restart forgets nothing and repeats nothing.
    assert next_runs(table, place, instants[1], 2) == runs[2:]
    gap = max(later - earlier for earlier, later in pairwise(instants))
    longest = {"daily": 1, "weekly": 7, "biweekly": 14, "monthly": 35}[interval]
    assert gap <= timedelta(days=longest, hours=1)


def test_next_weekday_is_the_day_itself_if_it_matches() -> None:
    """Otherwise at most six days later."""
    assert next_weekday(D0, "tuesday") == D0
    assert next_weekday(D0, "monday") == D0 + timedelta(6)
