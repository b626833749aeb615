"""Plans of instalments: exact sums, equal parts, and the days of a calendar."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain.dunning.instalments import FEWEST, MOST, Every, split
from domain.money import minor_units, round_amount

CURRENCIES = st.sampled_from(["EUR", "CHF", "JPY", "KWD"])
DAYS = st.dates(date(2024, 1, 1), date(2032, 12, 31))


@given(
    units=st.integers(1, 10**9),
    currency=CURRENCIES,
    count=st.integers(FEWEST, MOST),
    first=DAYS,
    every=st.sampled_from(Every),
)
def test_every_plan_adds_up(
    units: int, currency: str, count: int, first: date, every: Every
) -> None:
    """To the smallest coin: equal parts, the last takes the rest, which is less than a coin each."""
    assume(units >= count)
    coin = Decimal(1).scaleb(-minor_units(currency))
    total = units * coin
    plan = split(total, currency, count=count, first=first, every=every)
    amounts = [one.amount for one in plan]
    assert sum(amounts) == total
    assert [one.number for one in plan] == list(range(1, count + 1))
    assert len(set(amounts[:-1])) == 1
    assert 0 <= amounts[-1] - amounts[0] < coin * count
    assert all(round_amount(amount, currency) == amount > 0 for amount in amounts)
    assert plan[0].due_date == first
    days = [one.due_date for one in plan]
    if every is Every.WEEK:
        assert {later - day for day, later in pairwise(days)} <= {timedelta(weeks=1)}
    else:
        months = [day.year * 12 + day.month for day in days]
        assert months == list(range(months[0], months[0] + count))
        # The day itself, or the month's last one where the month is shorter.
        assert all(
            day.day == first.day or (day.day < first.day and (day + timedelta(1)).day == 1)
            for day in days
        )


def test_month_ends_are_kept() -> None:
    """The 31st comes back after a February: each day is counted from the first one."""
    plan = split(Decimal("100.00"), "EUR", count=4, first=date(2027, 12, 31), every=Every.MONTH)
    assert [str(one.due_date) for one in plan] == [
        *("2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31"),
    ]


def test_the_last_one_takes_the_rest() -> None:
    """100.00 in three."""
    plan = split(Decimal("100.00"), "EUR", count=3, first=date(2027, 1, 1), every=Every.WEEK)
    assert [str(one.amount) for one in plan] == ["33.33", "33.33", "33.34"]


@pytest.mark.parametrize(
    ("total", "count"), [("100.00", 1), ("100.00", 61), ("100.00", 0), ("0.02", 3)]
)
def test_what_is_no_plan(total: str, count: int) -> None:
    """One part, too many, or less than a cent each."""
    with pytest.raises(ValueError, match="instalments"):
        split(Decimal(total), "EUR", count=count, first=date(2027, 1, 1), every=Every.WEEK)
