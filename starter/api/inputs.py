"""The bodies of commands: strict, without unknown fields; texts are one line without odd marks."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated
from unicodedata import normalize

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from connectors.shops.port import JsonObject, parse_document
from domain.errors import NotJsonError, RefusedError
from domain.money import CURRENCIES, parse_decimal
from starter.api.names import with_slashes


class Input(BaseModel):
    """Base of all bodies. A field that nobody reads is refused: it would be lost without a word."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _one_line(text: str) -> str:
    if not text.strip() or len(text) > 500 or not text.isprintable():
        raise ValueError("one line of 1 to 500 characters")
    return normalize("NFC", text.strip())


def _printable(text: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise ValueError("at most 200 ordinary characters")
    return text


def _named(text: str) -> str:
    return normalize("NFC", _printable(with_slashes(text)))


def _day(given: object) -> date:
    text = given if isinstance(given, str) else ""
    try:
        return date.fromisoformat(text if len(text) == len("2026-11-30") else "")
    except ValueError as error:
        raise ValueError("a date such as 2026-11-30") from error


def _sum(given: object) -> Decimal:
    try:
        amount = parse_decimal(given if isinstance(given, str) else "")
    except ValueError as error:
        raise ValueError('a sum with a decimal point, as text such as "119.00"') from error
    if not 0 < amount < Decimal(10) ** 12:
        raise ValueError("a sum above 0")
    return amount


def _currency(text: str) -> str:
    if text not in CURRENCIES:
        raise ValueError("an ISO 4217 code such as EUR")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
# Days and sums are texts in JSON: a sum stays exact.
Day = Annotated[date, BeforeValidator(_day)]
Sum = Annotated[Decimal, BeforeValidator(_sum)]
Currency = Annotated[str, AfterValidator(_currency)]
# A name in an address: the database gets no control character to choke on, and one form of each
# letter (macOS sends an umlaut as two characters).
Name = Annotated[str, Path(), AfterValidator(_named)]
Key = Annotated[int, Path(ge=1, le=2**62)]


def json_object(body: bytes) -> JsonObject:
    """Read a raw body as one JSON object, numbers exactly as written."""
    try:
        return parse_document(body)
    except RefusedError as problem:
        raise NotJsonError(problem.message) from problem
