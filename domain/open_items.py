"""Open items from elsewhere: one line of the file becomes one value, or every finding in it.

Two spellings are read: comma with decimal point, and semicolon with decimal comma. Nothing is
guessed: a sum in the other spelling, a date in another form or a thousands separator is a finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from domain.addresses import normalise_address, tidy
from domain.countries import CODES, country_code
from domain.dunning.filters import CONTACTS, CUSTOM_FIELDS, LONGEST
from domain.errors import Problem
from domain.money import CURRENCIES, minor_units
from domain.order import Address
from domain.vat_ids import compact_vat_id

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

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_NUMBERS = {
    ",": (re.compile(r"-?\d+(?:\.\d+)?"), "a decimal number such as 119.00"),
    ";": (re.compile(r"-?\d+(?:,\d+)?"), "a decimal number such as 119,00"),
}


@dataclass(frozen=True, slots=True)
class OpenItemLine:
    """One open item and its customer, as one line of the file says.

    ``dunning_level``, ``notices_count`` and ``last_notice_on`` are what was done elsewhere already.
    """

    line: int
    customer_no: str
    name: str
    kind: str
    email: str
    phone: str
    vat_id: str
    language: str
    street: str
    postcode: str
    city: str
    country: str
    invoice_no: str
    invoice_date: date
    due_date: date
    amount: Decimal
    currency: str
    preferred_contact: str
    credit_limit: Decimal | None
    manager: str
    custom_fields: tuple[str, ...]
    dunning_level: int
    notices_count: int
    last_notice_on: date | None


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: which columns stand where, and by which character they are separated."""

    columns: tuple[str, ...]
    separator: str


def separator_of(first_line: str) -> str:
    """Tell the separator from the header: a semicolon where there is one, else a comma."""
    return ";" if ";" in first_line else ","


def read_header(cells: Sequence[str], separator: str) -> Header | tuple[Problem, ...]:
    """Return the header, or everything that is wrong with it."""
    names = tuple(cell.strip().lower() for cell in cells)
    problems = [
        Problem(f"line 1, {name[:40] or 'an empty column'}", f"one of {', '.join(COLUMNS)}", "")
        for name in names
        if name not in COLUMNS
    ]
    problems += [
        Problem(f"line 1, {name}", "this column once", "it twice")
        for name in sorted({name for name in names if names.count(name) > 1})
    ]
    problems += [
        Problem(f"line 1, {name}", "this column", "nothing")
        for name in REQUIRED
        if name not in names
    ]
    return tuple(problems) or Header(names, separator)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads lines of one file; ``own_series`` is the prefix of the company's own invoices."""

    header: Header
    today: date
    own_series: str

    def read(self, line: int, cells: Sequence[str]) -> OpenItemLine | list[Problem]:
        """Return the line's open item, or every finding: column, expectation, what was found."""
        columns = self.header.columns
        if len(cells) != len(columns):
            expected = f"{len(columns)} columns separated by {self.header.separator!r}"
            return [Problem(f"line {line}", expected, str(len(cells)))]
        given = dict(zip(columns, map(_tidy, cells), strict=True))
        problems: list[Problem] = []
        values: dict[str, Any] = dict(_EMPTY)
        for name, text in given.items():
            try:
                values[name] = self._value(name, text)
            except ValueError as expected:
                shown = repr(text[:40]) if text else "nothing"
                problems.append(Problem(f"line {line}, {name}", str(expected), shown))
        problems += [
            Problem(f"line {line}, {name}", expected, given.get(name) or "nothing")
            for name, expected in _contradictions(values)
        ]
        return problems or _line(line, values)

    def _value(self, name: str, text: str) -> object:
        if not text and name not in _MAY_BE_EMPTY:
            raise ValueError("a value")
        if len(text) > LONGEST or not text.isprintable():
            raise ValueError(f"at most {LONGEST} ordinary characters")
        read = _READ.get(name)
        return read(self, text) if read else text


def _tidy(text: str) -> str:
    """Do as ``tidy``, quickly for what is tidy: most of millions of values."""
    plain = text.isascii() and text.isprintable() and "  " not in text
    return text.strip() if plain else tidy(text)


def _kind(_: Reader, text: str) -> str:
    return _one_of(text, ("b2b", "b2c"))


def _contact(_: Reader, text: str) -> str:
    return _one_of(text, CONTACTS) if text else ""


def _one_of(text: str, known: Sequence[str]) -> str:
    if text not in known:
        raise ValueError(f"one of {', '.join(known)}")
    return text


def _email(_: Reader, text: str) -> str:
    if text and not _EMAIL.fullmatch(text):
        raise ValueError("an e-mail address such as name@example.com, or nothing")
    return text


def _country(_: Reader, text: str) -> str:
    code = country_code(text)
    if code not in CODES:
        raise ValueError("a country such as DE")
    return code


def _language(_: Reader, text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z]{2}", text):
        raise ValueError("a language of two letters such as de or en, or nothing")
    return text.lower()


def _currency(_: Reader, text: str) -> str:
    if text not in CURRENCIES:
        raise ValueError("an ISO 4217 code such as EUR")
    return text


def _invoice_no(reader: Reader, text: str) -> str:
    if re.fullmatch(rf"{re.escape(reader.own_series)}-\d{{4}}-\d+", text):
        raise ValueError(f"a number outside the company's own series {reader.own_series}-")
    return text


def _number(reader: Reader, text: str) -> Decimal:
    pattern, expected = _NUMBERS[reader.header.separator]
    if not pattern.fullmatch(text):
        raise ValueError(expected)
    return Decimal(text.replace(",", "."))


def _amount(reader: Reader, text: str) -> Decimal:
    amount = _number(reader, text)
    if not 0 < amount < _LARGEST:
        raise ValueError("an amount above 0: what is still owed")
    return amount


def _limit(reader: Reader, text: str) -> Decimal | None:
    if not text:
        return None
    limit = _number(reader, text)
    if not 0 <= limit < _LARGEST or limit != round(limit, 3):
        raise ValueError("a sum of 0 or more, or nothing")
    return limit


def _day(_: Reader, text: str) -> date:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        try:
            day = date.fromisoformat(text)
        except ValueError:
            day = date.min
        if day.year >= 1990:
            return day
    raise ValueError("a date such as 2026-03-31")


def _past_day(reader: Reader, text: str) -> date:
    # A day's grace: the file may come from where the date has changed already.
    if (day := _day(reader, text)) > reader.today + timedelta(days=1):
        raise ValueError("a day that is not in the future")
    return day


def _past_day_or_nothing(reader: Reader, text: str) -> date | None:
    return _past_day(reader, text) if text else None


def _count(_: Reader, text: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,2}", text):
        raise ValueError(f"a whole number from 0 to {_MOST_NOTICES}, or nothing")
    return int(text)


_READ: Mapping[str, Callable[[Reader, str], object]] = {
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


# What a column that is not in the file stands for.
_EMPTY = {name: None if name in _READ else "" for name in OPTIONAL} | {"preferred_contact": ""}


def _contradictions(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Find values that are right each for itself and cannot be true together."""
    invoice_date, due_date = values.get("invoice_date"), values.get("due_date")
    if invoice_date and due_date and due_date < invoice_date:
        yield "due_date", f"a day not before the invoice date {invoice_date}"
    amount, currency = values.get("amount"), values.get("currency")
    if amount and currency and round(amount, minor_units(currency)) != amount:
        yield "amount", f"at most {minor_units(currency)} decimals in {currency}"
    notices = values.get("notices_count") or values.get("dunning_level")
    if values.get("last_notice_date") and not notices:
        yield "last_notice_date", "nothing, as no notice is counted in this line"


@lru_cache(maxsize=10_000)
def _place(street: str, postcode: str, country: str) -> Address:
    """Bring an address to one form; the lines of a customer share it."""
    return normalise_address(Address(street=street, postcode=postcode, country=country))


def _line(line: int, values: Mapping[str, Any]) -> OpenItemLine:
    """Put the line together. Of level and number of notices, each stands in for the other."""
    level, notices = values["dunning_level"], values["notices_count"]
    spoken = values["language"] or ("de" if values["country"] in _GERMAN_SPEAKING else "en")
    place = _place(values["street"], values["postcode"], values["country"])
    return OpenItemLine(
        line=line,
        customer_no=values["customer_no"],
        name=values["name"],
        kind=values["kind"],
        email=values["email"],
        phone=values["phone"],
        vat_id=compact_vat_id(values["vat_id"]),
        language="de" if spoken == "de" else "en",
        street=place.street,
        postcode=place.postcode,
        city=values["city"],
        country=place.country,
        invoice_no=values["invoice_no"],
        invoice_date=values["invoice_date"],
        due_date=values["due_date"],
        amount=values["amount"],
        currency=values["currency"],
        preferred_contact=values["preferred_contact"],
        credit_limit=values["credit_limit"],
        manager=values["manager"],
        custom_fields=tuple(values[f"custom_field_{n}"] for n in range(1, CUSTOM_FIELDS + 1)),
        dunning_level=(notices if level is None else level) or 0,
        notices_count=(level if notices is None else notices) or 0,
        last_notice_on=values["last_notice_date"],
    )


_GERMAN_SPEAKING = frozenset({"DE", "AT", "CH", "LI"})
