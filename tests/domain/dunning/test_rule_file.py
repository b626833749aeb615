"""The rule file: what is right is read, what is wrong is said with what is allowed, all at once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.dunning.actions import TRAITS, Action
from domain.dunning.filters import FIELDS, Kind, Operator
from domain.dunning.ladder import TEMPLATES
from domain.dunning.rule_file import read_rule, write_rule
from domain.dunning.timetable import WEEKDAYS, Interval
from domain.errors import RefusedError

from .rules import O1, O2, O3, condition

# S4:79-90, copied: which operators each field takes.
OPERATORS = {
    "is_problematic": "=",
    "notices_count": "= != < > <= >=",
    "calls_count": "= != < > <= >=",
    "debt": "= != < > <= >=",
    "days_since_last_notice": "= != < > <= >=",
    "oldest_overdue_days": "= != < > <= >=",
    "preferred_contact": "=",
    "credit_limit_exceeded": "=",
    "open_call_tasks": "= < >",
    "promise_overdue_days": "= < >",
    "days_since_successful_call": "= < >",
    **{f"custom_field_{n}": "= contains" for n in range(1, 8)},
}


def values_of(kind: Kind) -> st.SearchStrategy[Any]:
    """Every value that a filter of a kind takes."""
    return {
        Kind.YES_NO: st.booleans(),
        Kind.WHOLE: st.integers(0, 999_999_999),
        Kind.CONTACT: st.sampled_from(["phone", "post", "email", "any"]),
        Kind.TEXT: st.text("aB ß%_'\\0", min_size=1, max_size=200),
    }[kind]


def _filter_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    spec = FIELDS[name]
    operators = st.sampled_from([o.value for o in spec.operators])
    return st.builds(condition, st.just(name), operators, values_of(spec.kind))


FILTERS = st.sampled_from(sorted(FIELDS)).flatmap(_filter_of)


@st.composite
def documents(draw: Callable[..., Any]) -> dict[str, Any]:
    """Any rule file that is right."""
    interval, action = draw(st.sampled_from(Interval)), draw(st.sampled_from(Action))
    found: dict[str, Any] = {
        "name": draw(st.sampled_from(["Zahlungserinnerung", "Größer 3.000 €", "a/b c"])),
        "interval": interval.value,
        "hour": draw(st.integers(0, 23)),
        "action": action.value,
        "filters": draw(st.lists(FILTERS, min_size=1, max_size=3)),
    }
    if interval is not Interval.DAILY:
        found["weekday"] = draw(st.sampled_from(WEEKDAYS))
    extras = {
        "template": st.sampled_from(TEMPLATES),
        "title": st.just("Kunden anrufen"),
        "description": st.just("Mahnung 2 ist 14 Tage her.\nFreundlich fragen."),
        "registered_mail": st.booleans(),
    }
    optional = {
        "start_date": st.dates(date(2020, 1, 1), date(2030, 12, 31)).map(date.isoformat),
        "priority": st.integers(1, 9999),
        "approval_required": st.booleans(),
    } | {name: extras[name] for name in TRAITS[action].extras}
    for name, strategy in optional.items():
        if draw(st.booleans()):
            found[name] = draw(strategy)
    return found


@settings(max_examples=40)
@given(documents())
def test_whatever_is_right_is_read_and_written_back(document: dict[str, Any]) -> None:
    """Reading, writing as JSON and reading again gives the same rule."""
    rule = read_rule(document)
    assert read_rule(json.loads(json.dumps(write_rule(rule)))) == rule
    assert {"field", "operator", "value"} == set(write_rule(rule)["filters"][0])


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text("a\0 ü", max_size=5),
        st.lists,
        max_leaves=4,
    )
)
def test_nothing_but_a_refusal_comes_of_nonsense(value: Any) -> None:
    """Whatever stands in a field, the answer is a rule or a refusal, never a crash."""
    for name in ("name", "interval", "weekday", "hour", "action", "filters", "start_date", "title"):
        for document in (
            {**O1, name: value},
            {**O1, "filters": [{**O1["filters"][0], "value": value}]},
        ):
            with contextlib.suppress(RefusedError):
                read_rule(document)


def test_the_examples_of_the_source_document() -> None:
    """O1 to O3 are read with the defaults: approval needed, no registered mail (N1, K9)."""
    first, second, third = map(read_rule, (O1, O2, O3))
    assert (first.needs_approval, first.registered_mail) == (True, False)
    assert (second.needs_approval, second.start_date) == (False, None)
    assert (third.approval_required, third.needs_approval) == (True, False)  # a call sends nothing
    assert str(third.filters[2]) == "debt >= 300"


def test_each_field_takes_exactly_its_operators() -> None:
    """The table of the source document, row by row; everything else is refused and says so."""
    assert set(FIELDS) == set(OPERATORS)
    right = {Kind.YES_NO: True, Kind.WHOLE: 7, Kind.CONTACT: "post", Kind.TEXT: "A"}
    for name, spec in FIELDS.items():
        for operator in Operator:
            document = {**O1, "filters": [condition(name, operator.value, right[spec.kind])]}
            if operator.value in OPERATORS[name].split():
                read_rule(document)
                continue
            with pytest.raises(RefusedError) as refused:
                read_rule(document)
            (problem,) = refused.value.problems
            assert problem.field == "filters.1.operator"
            assert problem.expected == f"one of {OPERATORS[name]} for {name}, in quotes"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("is_problematic", ["Nein", 0, 1, "false"]),
        ("notices_count", [-1, 1.0, "1", True, 1_000_000_000]),
        ("debt", [300.5, "300", -300, False]),
        ("promise_overdue_days", ["", 0.5]),
        ("preferred_contact", ["Telefon", "", 1, True]),
        ("credit_limit_exceeded", ["yes", 1]),
        ("custom_field_1", [1, "", True, "a\x00b", "x" * 201]),
    ],
)
def test_each_field_takes_exactly_its_type(name: str, wrong: list[Any]) -> None:
    """A value of another type is refused with what is expected; none is converted."""
    for value in wrong:
        with pytest.raises(RefusedError) as refused:
            read_rule({**O1, "filters": [condition(name, "=", value)]})
        (problem,) = refused.value.problems
        assert problem.field == "filters.1.value"
        assert problem.expected == f"{FIELDS[name].kind} for {name}"


def test_everything_wrong_is_said_at_once() -> None:
    """One refusal, every finding with what is allowed, and one sentence."""
    with pytest.raises(RefusedError) as refused:
        read_rule(
            {
                "interval": "hourly",
                "weekday": "Dienstag",
                "hour": 24,
                "action": "sms",
                "template": "angry",
                "colour": "red",
                "start_date": "2026-02-30",
                "filters": [{"field": "age", "operator": "=", "value": 1}, "debt > 3"],
            }
        )
    assert {problem.field for problem in refused.value.problems} == {
        *("colour", "name", "interval", "weekday", "hour", "action", "template", "start_date"),
        *("filters.1.field", "filters.2"),
    }
    assert "one of daily, weekly, biweekly, monthly" in refused.value.message
    assert refused.value.message.endswith(".")


def test_extra_fields_belong_to_actions() -> None:
    """Each action takes its own fields and no other (K10); an explicit no is no finding."""
    given_all = {
        "template": "first_notice",
        "title": "T",
        "description": "D",
        "registered_mail": True,
    }
    plain = {k: v for k, v in O1.items() if k != "template"}
    for action in Action:
        for name, value in given_all.items():
            document = {**plain, "action": action.value, name: value}
            if name in TRAITS[action].extras:
                read_rule(document)
            else:
                with pytest.raises(
                    RefusedError, match=rf"{name}: expected no {name}: {action} takes"
                ):
                    read_rule(document)
        read_rule({**plain, "action": action.value, "registered_mail": False})


def test_the_weekday_depends_on_the_interval() -> None:
    """Required for all but daily rules, refused there (J10)."""
    daily = {k: v for k, v in O1.items() if k != "weekday"} | {"interval": "daily"}
    assert read_rule(daily).weekday is None
    with pytest.raises(
        RefusedError, match="weekday: expected no weekday, as the interval is daily"
    ):
        read_rule({**daily, "weekday": "monday"})
    for interval in ("weekly", "biweekly", "monthly"):
        with pytest.raises(RefusedError, match="weekday: expected one of monday, tuesday"):
            read_rule({**daily, "interval": interval})


def test_a_rule_without_a_filter_is_refused() -> None:
    """It would take everybody."""
    for nothing in ([], {}, "all"):
        with pytest.raises(RefusedError, match="filters: expected a list of 1 to 50 filters"):
            read_rule({**O1, "filters": nothing})
