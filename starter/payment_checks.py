"""Whether money can be booked as it was told: amount, currency and day, every problem at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from domain.errors import Problem, RefusedError
from domain.money import CURRENCIES, minor_units, parse_decimal, round_amount
from models.store.payments import Receipt

MANUAL = "manual"
LARGEST = Decimal(10) ** 12


@dataclass(frozen=True, slots=True)
class Entry:
    """What a person types in: texts, not checked yet. Without a date it is today."""

    invoice_no: str
    amount: str
    currency: str
    reference: str
    date: str | None = None


def checked(entry: Entry, today: date) -> Receipt:
    """Read what was typed in; RefusedError with everything that is wrong at once."""
    problems: list[Problem] = []
    amount, day = Decimal(0), today
    try:
        amount = parse_decimal(entry.amount)
        problems += money_problems(amount, entry.currency)
    except ValueError:
        problems.append(Problem("amount", "a decimal number such as 119.00", entry.amount))
        problems += _currency_problems(entry.currency)
    try:
        day = date.fromisoformat(entry.date) if entry.date is not None else today
        problems += day_problems(day, today, "date")
    except ValueError:
        problems.append(Problem("date", "a date such as 2026-11-30", str(entry.date)))
    refuse(problems)
    return Receipt(
        provider=MANUAL,
        transaction_id=entry.reference,
        amount=amount,
        currency=entry.currency,
        valid_on=day,
        source=MANUAL,
        reference=entry.reference,
        invoice_no=entry.invoice_no,
    )


def _currency_problems(currency: str) -> list[Problem]:
    if currency in CURRENCIES:
        return []
    return [Problem("currency", "an ISO 4217 code such as EUR", currency)]


def money_problems(amount: Decimal, currency: str) -> list[Problem]:
    """Return what is wrong with an amount of money."""
    problems = _currency_problems(currency)
    if not 0 < amount < LARGEST:
        problems.append(Problem("amount", "an amount above 0", str(amount)))
    elif not problems and round_amount(amount, currency) != amount:
        decimals = f"at most {minor_units(currency)} decimals in {currency}"
        problems.append(Problem("amount", decimals, str(amount)))
    return problems


def day_problems(day: date, today: date, field: str) -> list[Problem]:
    """The bank may be a day ahead of us, not more; and nobody paid before there were euros."""
    if date(1999, 1, 1) <= day <= today + timedelta(days=1):
        return []
    return [Problem(field, "a day that is not in the future", str(day))]


def refuse(problems: list[Problem]) -> None:
    """Raise RefusedError if there are any."""
    if problems:
        said = "; ".join(str(problem) for problem in problems)
        raise RefusedError(f"The payment was not booked: {said}.", tuple(problems))
