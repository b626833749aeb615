"""Days that matter: local dates, due dates, working days (par. 187, 188, 193 BGB; R4)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from domain.company import PaymentTerms

_SATURDAY = 5


def local_date(instant: datetime, time_zone: str) -> date:
    """Return the calendar day of an instant where the company is (``Europe/Berlin``).

    ValueError for an instant without an offset: it is no point in time.
    """
    if instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no UTC offset: its local date is unknown")
    return instant.astimezone(ZoneInfo(time_zone)).date()


def due_date(issue_date: date, terms: PaymentTerms) -> date:
    """Return the last day to pay: the invoice's own day is not counted (par. 187 (1), 188 (1) BGB).

    It is a calendar date, as printed; that payment on a day off may wait for the next working day
    (par. 193) is for whoever sets a deadline on it: ``next_working_day``.
    """
    return issue_date + timedelta(days=terms.days)


def next_working_day(day: date, country: str, subdivision: str = "") -> date:
    """Return the day itself, or the next that is no Saturday, Sunday or public holiday (par. 193).

    ``country`` is ISO 3166-1 alpha-2, ``subdivision`` its part without the country (``BY``,
    ``ZH``). A country whose holidays are not known has weekends only.
    """
    while not is_working_day(day, country, subdivision):
        day += timedelta(days=1)
    return day


def is_working_day(day: date, country: str, subdivision: str = "") -> bool:
    """Tell whether the day is neither Saturday, Sunday nor a public holiday at that place."""
    return day.weekday() < _SATURDAY and day not in _holidays(country, subdivision)


@lru_cache(maxsize=64)
def _holidays(country: str, subdivision: str) -> holidays.HolidayBase | frozenset[date]:
    """Return the calendar of a place; it fills itself in year by year."""
    try:
        return holidays.country_holidays(country, subdiv=subdivision or None)
    except NotImplementedError:
        if country in holidays.list_supported_countries():
            return holidays.country_holidays(country)
        return frozenset()
