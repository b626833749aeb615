"""Open items from elsewhere: one line of the file becomes one value, or every finding in it.

Two spellings are read: comma with decimal point, and semicolon with decimal comma. Nothing is
guessed: a sum in the other spelling, a date in another form or a thousands separator is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from domain.addresses import normalise_address
from domain.dunning.filters import CUSTOM_FIELDS
from domain.errors import Problem
from domain.money import minor_units
from domain.open_item_columns import (
    COLUMNS,
    OPTIONAL,
    REQUIRED,
    TYPED,
    Reading,
    read_value,
)
from domain.order import Address
from domain.texts import tidy
from domain.vat_ids import compact_vat_id


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
    """Reads the lines of one file."""

    header: Header
    reading: Reading

    def read(self, line: int, cells: Sequence[str]) -> OpenItemLine | list[Problem]:
        """Return the line's open item, or every finding: column, expectation, what was found."""
        columns = self.header.columns
        if len(cells) != len(columns):
            expected = f"{len(columns)} columns separated by {self.header.separator!r}"
            return [Problem(f"line {line}", expected, str(len(cells)))]
        given = dict(zip(columns, map(tidy, cells), strict=True))
        problems: list[Problem] = []
        values: dict[str, Any] = dict(_EMPTY)
        for name, text in given.items():
            try:
                values[name] = read_value(self.reading, name, text)
            except ValueError as expected:
                shown = repr(text[:40]) if text else "nothing"
                problems.append(Problem(f"line {line}, {name}", str(expected), shown))
        problems += [
            Problem(f"line {line}, {name}", expected, given.get(name) or "nothing")
            for name, expected in _contradictions(values)
        ]
        return problems or _line(line, values)


# What a column that is not in the file stands for.
_EMPTY = {name: None if name in TYPED else "" for name in OPTIONAL}


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
