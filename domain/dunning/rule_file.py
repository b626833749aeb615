"""Reads a rule as people write it (the rule file), with all findings at once, and writes it back.

What is not known is refused with what is allowed: a misspelt filter must not be lost without a
word, as a rule without it would take more customers than meant.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from domain.dunning.actions import TRAITS, Action
from domain.dunning.filters import Filter, read_filter
from domain.dunning.ladder import TEMPLATES
from domain.dunning.rule import Rule
from domain.dunning.timetable import WEEKDAYS, Interval
from domain.errors import Problem, RefusedError

REQUIRED = ("name", "interval", "hour", "action", "filters")
OPTIONAL = (
    "weekday",
    "start_date",
    "priority",
    "template",
    "title",
    "description",
    "registered_mail",
    "approval_required",
)
EXTRAS = ("template", "title", "description", "registered_mail")
MOST_FILTERS = 50
LAST_PRIORITY = 9999


def read_rule(document: Mapping[Any, Any]) -> Rule:
    """Return the rule, or RefusedError that names every wrong field and what is allowed."""
    problems = [*_names(document), *_values(document), *_combinations(document)]
    filters = list(_filters(document.get("filters"), problems))
    if problems:
        said = "; ".join(str(problem) for problem in problems)
        raise RefusedError(f"The rule was refused: {said}.", tuple(problems))
    return Rule(
        name=_text(document["name"]),
        interval=Interval(document["interval"]),
        weekday=document.get("weekday"),
        hour=document["hour"],
        action=Action(document["action"]),
        filters=tuple(filters),
        start_date=_day(document.get("start_date")),
        priority=document.get("priority"),
        template=document.get("template"),
        title=_text(document.get("title") or ""),
        description=_text(document.get("description") or ""),
        registered_mail=document.get("registered_mail") or False,
        approval_required=document.get("approval_required") is not False,
    )


def write_rule(rule: Rule) -> dict[str, Any]:
    """Return the rule as plain JSON values, in the form that ``read_rule`` takes."""
    written: dict[str, Any] = {
        "name": rule.name,
        "interval": rule.interval.value,
        "weekday": rule.weekday,
        "hour": rule.hour,
        "start_date": rule.start_date.isoformat() if rule.start_date else None,
        "priority": rule.priority,
        "action": rule.action.value,
        "template": rule.template,
        "title": rule.title,
        "description": rule.description,
        "registered_mail": rule.registered_mail,
        "approval_required": rule.approval_required,
        "filters": [
            {"field": one.field, "operator": one.operator.value, "value": one.value}
            for one in rule.filters
        ],
    }
    return {name: value for name, value in written.items() if value not in (None, "")}


def _names(document: Mapping[Any, Any]) -> Iterator[Problem]:
    for name in document:
        if name not in (*REQUIRED, *OPTIONAL):
            allowed = ", ".join((*REQUIRED, *OPTIONAL))
            yield Problem(str(name)[:60], f"one of the fields {allowed}", "another")
    for name in REQUIRED:
        if document.get(name) is None:
            yield Problem(name, "a value", "nothing")


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _is_line(value: object, longest: int) -> bool:
    return (
        isinstance(value, str)
        and 1 <= len(value.strip()) <= longest
        and value.strip().isprintable()
    )


def _is_text(value: object) -> bool:
    lines = value.splitlines() if isinstance(value, str) else []
    return 1 <= len(str(value).strip()) <= 2000 and bool(lines) and all(map(str.isprintable, lines))


def _is_day(value: object) -> bool:
    if isinstance(value, str):
        try:
            return _is_near(date.fromisoformat(value)) and len(value) == 10
        except ValueError:
            return False
    return isinstance(value, date) and not isinstance(value, datetime) and _is_near(value)


def _is_near(day: date) -> bool:
    """Whether one can go on from that day, day by day, and mean it."""
    return 2000 <= day.year <= 2100


_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda v: _is_line(v, 100), "one line of 1 to 100 characters"),
    "interval": (lambda v: v in list(Interval), f"one of {', '.join(Interval)}"),
    "weekday": (lambda v: v in WEEKDAYS, f"one of {', '.join(WEEKDAYS)}"),
    "hour": (lambda v: _is_whole(v, 0, 23), "a whole hour from 0 to 23"),
    "action": (lambda v: v in list(Action), f"one of {', '.join(Action)}"),
    "start_date": (_is_day, "a date from 2000 to 2100, such as 2026-03-03"),
    "priority": (
        lambda v: _is_whole(v, 1, LAST_PRIORITY),
        f"a whole number from 1 (runs first) to {LAST_PRIORITY}",
    ),
    "template": (lambda v: v in TEMPLATES, f"one of {', '.join(TEMPLATES)}"),
    "title": (lambda v: _is_line(v, 200), "one line of 1 to 200 characters"),
    "description": (_is_text, "text of 1 to 2000 characters"),
    "registered_mail": (lambda v: isinstance(v, bool), "true or false"),
    "approval_required": (lambda v: isinstance(v, bool), "true or false"),
}


def _values(document: Mapping[Any, Any]) -> Iterator[Problem]:
    for name, (fits, expected) in _CHECKS.items():
        value = document.get(name)
        if value is not None and not fits(value):
            yield Problem(name, expected, repr(value)[:60])


def _combinations(document: Mapping[Any, Any]) -> Iterator[Problem]:
    """Check what depends on another field: the weekday on the interval, extras on the action."""
    interval, weekday = document.get("interval"), document.get("weekday")
    if interval == Interval.DAILY and weekday is not None:
        yield Problem("weekday", "no weekday, as the interval is daily", repr(weekday)[:60])
    if interval in list(Interval) and interval != Interval.DAILY and weekday is None:
        yield Problem("weekday", f"one of {', '.join(WEEKDAYS)}", "nothing")
    action = document.get("action")
    if action not in list(Action):
        return
    allowed = TRAITS[Action(action)].extras
    for name in EXTRAS:
        # An explicit "no" says nothing that is not so anyway.
        if name not in allowed and document.get(name) not in (None, False):
            takes = f"{action} takes {' and '.join(allowed)}" if allowed else f"{action} takes none"
            yield Problem(name, f"no {name}: {takes}", repr(document[name])[:60])


def _filters(given: object, problems: list[Problem]) -> Iterator[Filter]:
    """Read the filters; what is wrong is added to ``problems``."""
    if given is None:
        return
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_FILTERS:
        expected = f"a list of 1 to {MOST_FILTERS} filters, each with field, operator and value"
        problems.append(Problem("filters", expected, "another" if given else "an empty list"))
        return
    for number, document in enumerate(given, start=1):
        found = read_filter(document, f"filters.{number}")
        if isinstance(found, Filter):
            yield found
        else:
            problems.extend(found)


def _day(value: str | date | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    return unicodedata.normalize("NFC", value.strip())
