"""The filters of a dunning rule: 18 fields, each with exactly its operators and type (L1 to L13).

All filters of a rule must hold (J13). A value that does not exist satisfies none of them (X5).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from domain.errors import Problem

Value = bool | int | str

LARGEST = 999_999_999  # of a whole number; more euros or days than any customer has
LONGEST = 200  # of a text
CUSTOM_FIELDS = 7


class Operator(StrEnum):
    """How a field is compared with the rule's value (L13)."""

    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    MORE = ">"
    AT_MOST = "<="
    AT_LEAST = ">="
    CONTAINS = "contains"


class Kind(StrEnum):
    """Of which type a filter's value is, said as people are told it."""

    YES_NO = "true or false"
    WHOLE = f"a whole number from 0 to {LARGEST}"
    CONTACT = "phone, post, email or any"
    TEXT = f"text of 1 to {LONGEST} characters"


CONTACTS = ("phone", "post", "email", "any")

_EQUAL = (Operator.EQUAL,)
_ALL_SIX = (
    Operator.EQUAL,
    Operator.UNEQUAL,
    Operator.LESS,
    Operator.MORE,
    Operator.AT_MOST,
    Operator.AT_LEAST,
)
_THREE = (Operator.EQUAL, Operator.LESS, Operator.MORE)
_TEXT = (Operator.EQUAL, Operator.CONTAINS)


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field that can be filtered by: its German name, its type, its operators."""

    german: str
    kind: Kind
    operators: tuple[Operator, ...]


FIELDS: Mapping[str, FieldSpec] = {
    "is_problematic": FieldSpec("Ist problematisch", Kind.YES_NO, _EQUAL),
    "notices_count": FieldSpec("Anzahl Mahnungen", Kind.WHOLE, _ALL_SIX),
    "calls_count": FieldSpec("Anzahl Anrufe", Kind.WHOLE, _ALL_SIX),
    "debt": FieldSpec("Betrag Schulden", Kind.WHOLE, _ALL_SIX),
    "days_since_last_notice": FieldSpec("Anzahl Tage seit letzter Mahnung", Kind.WHOLE, _ALL_SIX),
    "oldest_overdue_days": FieldSpec(
        "Anzahl überfälliger Tage der ältesten Rechnung", Kind.WHOLE, _ALL_SIX
    ),
    "preferred_contact": FieldSpec("Bevorzugte Kontaktmethode", Kind.CONTACT, _EQUAL),
    "credit_limit_exceeded": FieldSpec("Kreditlimit überschritten", Kind.YES_NO, _EQUAL),
    "open_call_tasks": FieldSpec("Anzahl unerledigter Anrufaufgaben", Kind.WHOLE, _THREE),
    "promise_overdue_days": FieldSpec("Anzahl Tage Zahlungstermin überfällig", Kind.WHOLE, _THREE),
    "days_since_successful_call": FieldSpec(
        "Anzahl Tage seit letztem erfolgreichen Anruf", Kind.WHOLE, _THREE
    ),
    **{
        f"custom_field_{n}": FieldSpec(f"Individuelles Feld {n}", Kind.TEXT, _TEXT)
        for n in range(1, CUSTOM_FIELDS + 1)
    },
}


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition, such as ``notices_count >= 2``; made by ``read_filter``."""

    field: str
    operator: Operator
    value: Value

    def __str__(self) -> str:
        """Write it as people read it: ``is_problematic = false``."""
        shown = str(self.value).lower() if isinstance(self.value, bool) else self.value
        return f"{self.field} {self.operator} {shown}"


def read_filter(document: object, place: str) -> Filter | tuple[Problem, ...]:
    """Return the filter, or everything that is wrong with it and what is allowed instead."""
    if not isinstance(document, Mapping):
        return (Problem(place, "field, operator and value", _shown(document)),)
    problems = tuple(_problems(document, place))
    if problems:
        return problems
    value = document["value"]
    if isinstance(value, str):
        value = unicodedata.normalize("NFC", value)
    return Filter(document["field"], Operator(document["operator"]), value)


def _problems(document: Mapping[Any, Any], place: str) -> Iterator[Problem]:
    for name in document:
        if name not in {"field", "operator", "value"}:
            yield Problem(f"{place}.{name}", "only field, operator and value", "another field")
    for name in ("field", "operator", "value"):
        if document.get(name) is None:
            yield Problem(f"{place}.{name}", "a value", "nothing")
    field, operator = document.get("field"), document.get("operator")
    spec = FIELDS.get(field) if isinstance(field, str) else None
    if field is not None and spec is None:
        yield Problem(f"{place}.field", f"one of {', '.join(FIELDS)}", _shown(field))
    known = spec.operators if spec else tuple(Operator)
    if operator is not None and operator not in known:
        of_field = f" for {field}" if spec else ""
        yield Problem(
            f"{place}.operator", f"one of {' '.join(known)}{of_field}, in quotes", _shown(operator)
        )
    value = document.get("value")
    if spec and value is not None and not _fits(spec.kind, value):
        yield Problem(f"{place}.value", f"{spec.kind} for {field}", _shown(value))


def _fits(kind: Kind, value: object) -> bool:
    """Check a value's type; a yes or no is no number here, whatever Python says."""
    if kind is Kind.YES_NO:
        return isinstance(value, bool)
    if kind is Kind.WHOLE:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST
    if kind is Kind.CONTACT:
        return value in CONTACTS
    return isinstance(value, str) and 1 <= len(value) <= LONGEST and value.isprintable()


def _shown(value: object) -> str:
    return repr(value)[:60]
