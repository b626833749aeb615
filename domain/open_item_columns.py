"""The columns of a file of open items, and how the text in each becomes a value.

Every reader raises ValueError with what is expected; the text stays as it came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from domain.countries import CODES, country_code
from domain.dunning.filters import CONTACTS, CUSTOM_FIELDS, LONGEST
from domain.email_addresses import is_email
from domain.money import CURRENCIES

REQUIRED = (
    *("customer_no", "name", "kind", "email", "street", "postcode", "city", "country", "language"),
    *("invoice_no", "invoice_date", "due_date", "amount", "currency"),
)
OPTIONAL = (
    *("phone", "preferred_contact", "vat_id", "credit_limit", "manager"),
    *("dunning_level", "notices_count", "last_notice_date"),
    *(f"custom_field_{n}" for n in range(1, CUSTOM_FIELDS + 1)),
)
COLUMNS = (*REQUIRED, *OPTIONAL)
# What may be empty: not everybody has an e-mail, not every place a postcode.
_MAY_BE_EMPTY = {"email", "postcode", "language", *OPTIONAL}
_MOST_NOTICES = 99
_LARGEST = Decimal(10) ** 12

_NUMBERS = {
    ",": (re.compile(r"-?\d+(?:\.\d+)?"), "a decimal number such as 119.00"),
    ";": (re.compile(r"-?\d+(?:,\d+)?"), "a decimal number such as 119,00"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What the spelling of a file and the day say; ``own_series`` is that of our own invoices."""

    separator: str
    today: date
    own_series: str


def read_value(given: Reading, name: str, text: str) -> object:
    """Return the value of a column; ValueError says what is expected instead."""
    if not text and name not in _MAY_BE_EMPTY:
        raise ValueError("a value")
    if len(text) > LONGEST or not text.isprintable():
        raise ValueError(f"at most {LONGEST} ordinary characters")
    read = _READ.get(name)
    return read(given, text) if read else text


def _kind(_: Reading, text: str) -> str:
    return _one_of(text, ("b2b", "b2c"))


def _contact(_: Reading, text: str) -> str:
    return _one_of(text, CONTACTS) if text else ""


def _one_of(text: str, known: Sequence[str]) -> str:
    if text not in known:
        raise ValueError(f"one of {', '.join(known)}")
    return text


def _email(_: Reading, text: str) -> str:
    if text and not is_email(text):
        raise ValueError("an e-mail address such as name@example.com, or nothing")
    return text


def _country(_: Reading, text: str) -> str:
    code = country_code(text)
    if code not in CODES:
        raise ValueError("a country such as DE")
    return code


def _language(_: Reading, text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z]{2}", text):
        raise ValueError("a language of two letters such as de or en, or nothing")
    return text.lower()


def _currency(_: Reading, text: str) -> str:
    if text not in CURRENCIES:
        raise ValueError("an ISO 4217 code such as EUR")
    return text


def _invoice_no(given: Reading, text: str) -> str:
    if re.fullmatch(rf"{re.escape(given.own_series)}-\d{{4}}-\d+", text):
        raise ValueError(f"a number outside the company's own series {given.own_series}-")
    return text


def _number(given: Reading, text: str) -> Decimal:
    pattern, expected = _NUMBERS[given.separator]
    if not pattern.fullmatch(text):
        raise ValueError(expected)
    return Decimal(text.replace(",", "."))


def _amount(given: Reading, text: str) -> Decimal:
    amount = _number(given, text)
    if not 0 < amount < _LARGEST:
        raise ValueError("an amount above 0: what is still owed")
    return amount


def _limit(given: Reading, text: str) -> Decimal | None:
    if not text:
        return None
    limit = _number(given, text)
    if not 0 <= limit < _LARGEST or limit != round(limit, 3):
        raise ValueError("a sum of 0 or more, or nothing")
    return limit


def _day(_: Reading, text: str) -> date:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = date.min
        if day.year >= 1990:
            return day
    raise ValueError("a date such as 2026-03-31")


def _past_day(given: Reading, text: str) -> date:
    # A day's grace: the file may come from where the date has changed already.
    if (day := _day(given, text)) > given.today + timedelta(days=1):
        raise ValueError("a day that is not in the future")
    return day


def _past_day_or_nothing(given: Reading, text: str) -> date | None:
    return _past_day(given, text) if text else None


def _count(_: Reading, text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise ValueError(f"a whole number from 0 to {_MOST_NOTICES}, or nothing")
    return int(text)


_READ: Mapping[str, Callable[[Reading, str], object]] = {
    "kind": _kind,
    "email": _email,
    "country": _country,
    "language": _language,
    "invoice_no": _invoice_no,
    "invoice_date": _past_day,
    "due_date": _day,
    "amount": _amount,
    "currency": _currency,
    "preferred_contact": _contact,
    "credit_limit": _limit,
    "dunning_level": _count,
    "notices_count": _count,
    "last_notice_date": _past_day_or_nothing,
}
# What is nothing, and not an empty text, where the column is empty.
TYPED = frozenset(_READ) - {"preferred_contact"}
