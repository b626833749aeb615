"""Days: local dates, terms, working days per country and region."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import due_date, is_working_day, local_date, next_working_day
from domain.company import PaymentTerms


@pytest.mark.parametrize(
    ("instant", "zone", "day"),
    [
        ("2026-11-21T23:30:00+00:00", "Europe/Berlin", date(2026, 11, 22)),
        ("2026-06-30T22:30:00+00:00", "Europe/Berlin", date(2026, 7, 1)),
        ("2026-11-22T00:30:00+01:00", "America/New_York", date(2026, 11, 21)),
    ],
)
def test_a_date_is_that_of_the_zone(instant: str, zone: str, day: date) -> None:
    """Summer time included."""
    assert local_date(datetime.fromisoformat(instant), zone) == day


def test_an_instant_without_an_offset_is_no_instant() -> None:
    """Guessing a zone would move invoices between days."""
    naive = datetime(2026, 11, 22, 12, tzinfo=UTC).replace(tzinfo=None)

    with pytest.raises(ValueError, match="UTC offset"):
        local_date(naive, "Europe/Berlin")


@pytest.mark.parametrize(
    ("issued", "days", "due"),
    [
        (date(2026, 11, 22), 14, date(2026, 12, 6)),
        (date(2026, 11, 22), 0, date(2026, 11, 22)),
        (date(2028, 2, 15), 14, date(2028, 2, 29)),
        (date(2026, 12, 20), 30, date(2027, 1, 19)),
    ],
)
def test_the_day_of_the_invoice_is_not_counted(issued: date, days: int, due: date) -> None:
    """Par. 187 (1), 188 (1) BGB."""
    assert due_date(issued, PaymentTerms(days)) == due


@pytest.mark.parametrize(
    ("day", "country", "region", "expected"),
    [
        (date(2026, 11, 20), "DE", "", date(2026, 11, 20)),
        (date(2026, 11, 21), "DE", "", date(2026, 11, 23)),
        (date(2026, 12, 25), "DE", "", date(2026, 12, 28)),
        (date(2026, 1, 6), "DE", "BY", date(2026, 1, 7)),
        (date(2026, 1, 6), "DE", "BE", date(2026, 1, 6)),
        (date(2026, 10, 26), "AT", "", date(2026, 10, 27)),
        (date(2026, 8, 1), "CH", "ZH", date(2026, 8, 3)),
        (date(2027, 1, 1), "DE", "", date(2027, 1, 4)),
        (date(2026, 1, 6), "DE", "no such region", date(2026, 1, 6)),
        (date(2026, 12, 25), "XX", "", date(2026, 12, 25)),
    ],
)
def test_a_deadline_on_a_day_off_moves_to_the_next_working_day(
    day: date, country: str, region: str, expected: date
) -> None:
    """Par. 193 BGB, with the holidays of the place (R4)."""
    assert next_working_day(day, country, region) == expected


@given(st.dates(date(2020, 1, 1), date(2035, 12, 31)), st.sampled_from(["DE", "AT", "CH"]))
def test_the_next_working_day_is_one_and_not_far(day: date, country: str) -> None:
    """Idempotent, never earlier."""
    found = next_working_day(day, country)

    assert is_working_day(found, country)
    assert 0 <= (found - day).days <= 6
    assert next_working_day(found, country) == found
