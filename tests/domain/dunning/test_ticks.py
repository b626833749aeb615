"""What a firing of a Schedule means, over zones, changes of the clocks and parities."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.dunning.ticks import Kind, Tick, decide
from domain.dunning.timetable import WEEKDAYS, Interval, Timetable, next_runs, runs_between

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
BIWEEKLY = Timetable(Interval.BIWEEKLY, "tuesday", 16, date(2026, 3, 3))
DUE = datetime(2026, 3, 3, 16, tzinfo=BERLIN)
LATER = timedelta(seconds=2)


def tick(
    scheduled: datetime | None,
    *,
    table: Timetable = BIWEEKLY,
    zone: ZoneInfo = BERLIN,
    started: datetime | None = None,
    waited: timedelta = LATER,
    paused: bool = False,
) -> Tick:
    """Decide about a firing that began on time."""
    began = started or scheduled or DUE
    return decide(
        table, zone, scheduled=scheduled, started=began, now=began + waited, paused=paused
    )


def test_the_calendar_every_two_weeks() -> None:
    """The due slot; not the week between; not before the start; not at another hour."""
    assert tick(DUE).slot == datetime(2026, 3, 3, 16)  # noqa: DTZ001 - a slot is local
    weeks = [tick(DUE + timedelta(weeks=n)).kind for n in (-2, -1, 0, 1, 2)]
    assert weeks == [Kind.NOTHING, Kind.NOTHING, Kind.SLOT, Kind.NOTHING, Kind.SLOT]
    assert tick(DUE - timedelta(hours=1)).kind is Kind.NOTHING


def test_a_paused_rule_runs_by_hand_only() -> None:
    """X10: Trigger works while it is paused, the calendar does not."""
    assert tick(DUE, paused=True).kind is Kind.NOTHING
    by_hand = tick(DUE + timedelta(seconds=17), paused=True)
    assert (by_hand.kind, by_hand.slot) == (Kind.NOW, None)
    assert tick(None, paused=True).kind is Kind.NOW


def test_what_waited_for_more_than_a_day_is_left_to_a_person() -> None:
    """X19; a slot that an operator backfills later is not late, as it has not waited."""
    for scheduled in (DUE, DUE + timedelta(seconds=17)):
        assert tick(scheduled, waited=timedelta(hours=24)).kind is not Kind.NOTHING
        assert tick(scheduled, waited=timedelta(hours=24, seconds=1)).kind is Kind.NOTHING
    assert tick(DUE, started=DUE + timedelta(days=40)).kind is Kind.SLOT


@settings(max_examples=40)
@pytest.mark.parametrize("zone", ZONES)
@given(
    interval=st.sampled_from(Interval),
    weekday=st.sampled_from(WEEKDAYS),
    hour=st.integers(0, 23),
    start=st.dates(date(2025, 1, 1), date(2027, 12, 31)),
    minutes=st.integers(0, 3 * 365 * 24 * 60),
)
def test_every_run_has_its_tick_and_no_tick_makes_another(
    zone: str, interval: Interval, weekday: str, hour: int, start: date, minutes: int
) -> None:
    """Fired at every quarter of an hour, exactly the timetable's slots come out."""
    place = ZoneInfo(zone)
    table = Timetable(interval, None if interval is Interval.DAILY else weekday, hour, start)
    after = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    (run,) = next_runs(table, place, after, 1)
    begin, end = run.at - timedelta(hours=30), run.at + timedelta(hours=30)
    quarters = [begin + timedelta(minutes=15 * n) for n in range(1, 4 * 60 + 1)]
    found = [tick(at, table=table, zone=place) for at in quarters]
    slots = [one.slot for one in found if one.kind is Kind.SLOT]
    assert {one.kind for one in found} <= {Kind.SLOT, Kind.NOTHING}
    expected = [each.slot for each in runs_between(table, place, begin, end)]
    # An hour that comes twice gives its slot twice, and is run once.
    assert sorted(set(filter(None, slots))) == [*dict.fromkeys(expected)], (
        f"{slots} instead of {expected}"
    )


@given(seconds=st.integers(1, 14 * 60 + 59), days=st.integers(0, 60))
def test_a_press_of_trigger_is_a_run_now(seconds: int, days: int) -> None:
    """Whatever the day: it comes to the second, which no calendar of hours does."""
    at = DUE + timedelta(days=days, seconds=seconds)
    assert tick(at).kind is Kind.NOW
