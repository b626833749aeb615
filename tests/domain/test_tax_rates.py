"""The table of VAT rates: dated, complete, sane."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from domain.tax_rates import EU, RATES, rates_on, vat_country


@pytest.mark.parametrize(
    ("country", "day", "rates"),
    [
        ("DE", date(2020, 6, 30), "19 7"),
        ("DE", date(2020, 7, 1), "16 5"),
        ("DE", date(2020, 12, 31), "16 5"),
        ("DE", date(2021, 1, 1), "19 7"),
        ("AT", date(2026, 6, 30), "20 10 13"),
        ("AT", date(2026, 7, 1), "20 10 13 4.9"),
        ("CH", date(2023, 12, 31), "7.7 2.5 3.7"),
        ("CH", date(2024, 1, 1), "8.1 2.6 3.8"),
        ("LI", date(2026, 1, 1), "8.1 2.6 3.8"),
        ("DE", date(2006, 12, 31), ""),
        ("US", date(2026, 1, 1), ""),
    ],
)
def test_rates_hold_from_their_day_on(country: str, day: date, rates: str) -> None:
    """Both edges of each change."""
    assert rates_on(country, day) == tuple(Decimal(rate) for rate in rates.split())


def test_every_member_state_has_rates_today() -> None:
    """Twenty-seven, each with a standard rate from 15 percent that is its highest."""
    assert len(EU) == 27
    for country in EU:
        standard, *reduced = rates_on(country, date(2026, 11, 16))
        assert standard >= 15
        assert all(rate < standard for rate in reduced)


def test_periods_are_in_order() -> None:
    """A later period must come later in the table, or it would never hold."""
    for periods in RATES.values():
        days = [period.valid_from for period in periods]
        assert days == sorted(set(days))


def test_places_outside_the_vat_area_of_their_country() -> None:
    """Büsingen, Helgoland, the Canaries, Livigno and Åland; Monaco counts as France."""
    assert vat_country("DE", "53113") == "DE"
    assert vat_country("MC", "98000") == "FR"
    outside = [("DE", "27498"), ("DE", "78266"), ("ES", "35001"), ("IT", "23041"), ("FI", "22100")]
    assert {vat_country(*place) for place in outside} == {""}
    assert vat_country("US", "10001") == ""
