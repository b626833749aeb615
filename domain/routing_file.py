"""Reads the routing rules as finance people write them; every wrong field is named at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any

from domain.countries import CODES
from domain.errors import Problem, RefusedError
from domain.money import CURRENCIES, parse_decimal
from domain.order import CustomerKind
from domain.routing import Conditions, Rule

MOST_RULES = 200
_LONGEST = 100


def read_rules(document: object, users: Collection[str] | None) -> tuple[Rule, ...]:
    """Return the rules of ``{"rules": [...]}``; RefusedError names everything that is wrong.

    ``users`` are those whom a rule may name: tasks of nobody would never be done. ``None``: the
    rules were read before, and names are not looked at again.
    """
    reading = _Reading(users)
    found = reading.rules(document)
    if reading.problems:
        said = "; ".join(str(problem) for problem in reading.problems)
        raise RefusedError(f"The rules were not set: {said}.", tuple(reading.problems))
    return found


class _Reading:
    """One pass over the file; problems are collected, not raised."""

    def __init__(self, users: Collection[str] | None) -> None:
        self.users = users
        self.problems: list[Problem] = []

    def rules(self, document: object) -> tuple[Rule, ...]:
        if not isinstance(document, Mapping) or set(document) != {"rules"}:
            self._note("the file", "one field `rules` with a list", "something else")
            return ()
        listed = document["rules"]
        if not isinstance(listed, list) or len(listed) > MOST_RULES:
            self._note("rules", f"a list of at most {MOST_RULES} rules", "something else")
            return ()
        found = tuple(self._rule(one, f"rules.{number}") for number, one in enumerate(listed, 1))
        names = [rule.name.casefold() for rule in found]
        for number, rule in enumerate(found, 1):
            if rule.name and names.index(rule.name.casefold()) < number - 1:
                self._note(f"rules.{number}.name", "a name that no other rule has", rule.name)
        return found

    def _rule(self, given: object, at: str) -> Rule:
        if not isinstance(given, Mapping):
            self._note(at, "a rule with name, when and then", "something else")
            return Rule("")
        self._known(given, ("name", "when", "then"), at)
        name = self._take(given, "name", at, _line, required=True) or ""
        then = given.get("then")
        if not isinstance(then, Mapping) or not then:
            self._note(f"{at}.then", f"at least one of {', '.join(_THEN)}", "nothing")
            then = {}
        self._known(then, tuple(_THEN), f"{at}.then")
        decided = {key: self._take(then, key, f"{at}.then", _THEN[key]) for key in _THEN}
        assignee = decided["assignee"]
        if assignee and self.users is not None and assignee not in self.users:
            allowed = ", ".join(sorted(self.users))
            self._note(f"{at}.then.assignee", f"one of the users {allowed}", str(assignee))
        given_ones = {key: value for key, value in decided.items() if value is not None}
        return Rule(name, self._conditions(given.get("when"), f"{at}.when"), **given_ones)

    def _conditions(self, given: object, at: str) -> Conditions:
        if given is None:
            return Conditions()
        if not isinstance(given, Mapping):
            self._note(at, f"fields of {', '.join(_WHEN)}", "something else")
            return Conditions()
        self._known(given, tuple(_WHEN), at)
        taken = {key: self._take(given, key, at, _WHEN[key]) for key in _WHEN}
        found: dict[str, Any] = {key: value for key, value in taken.items() if value is not None}
        amounts = [key for key in ("amount_from", "amount_below") if key in found]
        if amounts and "currency" not in found:
            self._note(f"{at}.currency", "the currency of the amounts, such as EUR", "nothing")
        low, high = found.get("amount_from"), found.get("amount_below")
        if low is not None and high is not None and low >= high:
            self._note(f"{at}.amount_below", f"more than amount_from, {low}", str(high))
        return Conditions(**found)

    def _take(
        self,
        given: Mapping[Any, Any],
        key: str,
        at: str,
        read: Callable[[object], Any],
        *,
        required: bool = False,
    ) -> Any:  # noqa: ANN401 - what each field is, its reader says
        if given.get(key) is None:
            if required:
                self._note(f"{at}.{key}", "a value", "nothing")
            return None
        try:
            return read(given[key])
        except ValueError as error:
            self._note(f"{at}.{key}", str(error), repr(given[key])[:40])
            return None

    def _known(self, given: Mapping[Any, Any], names: tuple[str, ...], at: str) -> None:
        for name in given:
            if name not in names:
                self._note(f"{at}.{str(name)[:40]}", f"one of the fields {', '.join(names)}", "it")

    def _note(self, field: str, expected: str, found: str) -> None:
        self.problems.append(Problem(field, expected, found))


def _line(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= _LONGEST:
        raise ValueError(f"text of 1 to {_LONGEST} characters (put numbers in quotes)")
    if not value.isprintable():
        raise ValueError("one line of ordinary characters")
    return value.strip()


def _lines(value: object) -> tuple[str, ...]:
    many = value if isinstance(value, list) else [value]
    if not 0 < len(many) <= 50:
        raise ValueError("a list of 1 to 50 texts")
    return tuple(_line(one) for one in many)


def _countries(value: object) -> tuple[str, ...]:
    found = tuple(one.upper() for one in _lines(value))
    # YAML takes an unquoted NO for false, which _line refuses already.
    if unknown := [one for one in found if one not in CODES]:
        raise ValueError(f"countries as two letters such as DE, not {', '.join(unknown)}")
    return found


def _customer(value: object) -> CustomerKind:
    if value not in tuple(CustomerKind):
        raise ValueError("b2b or b2c")
    return CustomerKind(str(value))


def _currency(value: object) -> str:
    if not isinstance(value, str) or value not in CURRENCIES:
        raise ValueError("a currency such as EUR")
    return value


def _amount(value: object) -> Decimal:
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,9}(\.\d{1,3})?", value):
        raise ValueError('an amount in quotes, such as "1000.00"')
    return parse_decimal(value)


def _days(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 120:
        raise ValueError("a number of days from 0 to 120")
    return value


_WHEN: Mapping[str, Callable[[object], Any]] = {
    "sku_prefix": _lines,
    "category": _lines,
    "country": _countries,
    "region": _lines,
    "postcode_prefix": _lines,
    "channel": _lines,
    "customer": _customer,
    "currency": _currency,
    "amount_from": _amount,
    "amount_below": _amount,
}
_THEN: Mapping[str, Callable[[object], Any]] = {
    "assignee": _line,
    "approval": _line,
    "terms_days": _days,
    "cost_centre": _line,
    "tags": _lines,
}
