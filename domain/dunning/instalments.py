"""Instalments (Raten): a sum in equal parts, at the same distance, to the cent."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from domain.money import minor_units

FEWEST = 2
MOST = 60


class Every(StrEnum):
    """How far instalments lie apart."""

    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Instalment:
    """One instalment: the first has the number 1."""

    number: int
    due_date: date
    amount: Decimal


def split(
    total: Decimal, currency: str, *, count: int, first: date, every: Every
) -> tuple[Instalment, ...]:
    """Return the plan: equal instalments, and the last one takes what rounding leaves over.

    ValueError where the count is out of bounds or the total has less than a cent for each.
    """
    if not FEWEST <= count <= MOST:
        raise ValueError(f"a plan has {FEWEST} to {MOST} instalments")
    unit = Decimal(1).scaleb(-minor_units(currency))
    each = (total / count).quantize(unit, rounding=ROUND_DOWN)
    if each <= 0:
        raise ValueError(f"{total} {currency} cannot be paid in {count} instalments")
    amounts = [each] * (count - 1) + [total - each * (count - 1)]
    return tuple(
        Instalment(number, _day(first, every, number - 1), amount)
        for number, amount in enumerate(amounts, start=1)
    )


def _day(first: date, every: Every, steps: int) -> date:
    """Return the day so many steps later; a month without that day has its last one instead."""
    if every is Every.WEEK:
        return first + timedelta(weeks=steps)
    years, month = divmod(first.month - 1 + steps, 12)
    year, month = first.year + years, month + 1
    return date(year, month, min(first.day, monthrange(year, month)[1]))
