"""Whom a rule takes: every boundary of the source document's examples, and values not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.dunning.actions import TRAITS, Action, lane
from domain.dunning.facts import Account, Item, derive
from domain.dunning.filters import FIELDS, Filter, Kind, Operator
from domain.dunning.ladder import Ladder
from domain.dunning.matching import Verdict, holds, matches
from domain.dunning.rule_file import read_rule

from .rules import O1, O2, O3, TODAY, condition, dunned, owing


def verdict(document: dict[str, Any], account: Account) -> Verdict:
    """Hold a rule against an account, today, for a company that reckons in euros."""
    return matches(read_rule(document), derive(account, today=TODAY, currency="EUR"))


def one(field: str, operator: str, value: Any, account: Account) -> bool:
    """Tell whether a rule with one filter takes an account."""
    document = {**O1, "action": "mark_problematic", "filters": [condition(field, operator, value)]}
    document.pop("template")
    return verdict(document, account).matched


@pytest.mark.parametrize(("days", "taken"), [(0, False), (6, False), (7, True), (400, True)])
def test_the_first_reminder_after_six_days(days: int, taken: bool) -> None:  # noqa: FBT001
    """O1: six days are not enough, seven are."""
    found = verdict(O1, owing(overdue_days=days))
    assert found.matched is taken
    assert found.values["oldest_overdue_days"] == (days or None)


def test_the_first_reminder_leaves_out_who_has_one_and_who_is_problematic() -> None:
    """O1: L1 = no and L2 = 0."""
    assert verdict(O1, owing()).matched
    assert not verdict(O1, owing(problematic=True)).matched
    assert not verdict(O1, owing(ladder=dunned(1, 3))).matched
    assert verdict(O1, owing(problematic=True)).why_not == (
        "is_problematic = false, but is_problematic is true"
    )


@pytest.mark.parametrize(
    ("notices", "days", "taken"), [(1, 7, False), (1, 8, True), (0, 8, False), (2, 8, False)]
)
def test_the_first_notice_after_eight_days(notices: int, days: int, taken: bool) -> None:  # noqa: FBT001
    """O2: exactly one notice so far, at least eight days ago."""
    assert verdict(O2, owing(ladder=dunned(notices, days))).matched is taken


@pytest.mark.parametrize(
    ("amount", "days", "taken"),
    [
        ("299.00", 14, False),
        ("299.99", 14, False),
        ("300.00", 14, True),
        ("300.50", 14, True),
        ("4000.00", 14, True),
        ("4000.01", 14, False),
        ("4001.00", 14, False),
        ("300.00", 13, False),
    ],
)
def test_the_call_between_two_sums(amount: str, days: int, taken: bool) -> None:  # noqa: FBT001
    """O3: 300 to 4,000 as exact decimals (X3), 14 days after the second notice."""
    assert verdict(O3, owing(amount, ladder=dunned(2, days))).matched is taken


def test_debt_is_all_that_is_open_due_or_not() -> None:
    """X3, X16: in the company's currency; other currencies are not converted."""
    later, earlier = TODAY + timedelta(days=30), TODAY - timedelta(days=1)
    account = Account(
        items=(
            Item("EUR", Decimal("100.00"), later),
            Item("EUR", Decimal("200.00"), earlier),
            Item("EUR", Decimal("0.01"), None),
            Item("CHF", Decimal("5000.00"), TODAY - timedelta(days=90)),
        )
    )
    facts = derive(account, today=TODAY, currency="EUR")
    assert facts.debt == Decimal("300.01")
    assert facts.oldest_overdue_days == 90  # a day is a day in any currency


def test_overdue_counts_calendar_days_from_the_day_after() -> None:
    """X12: due today is not overdue; weekends and holidays move nothing."""
    for due, days in ((TODAY, None), (TODAY - timedelta(days=1), 1), (TODAY + timedelta(1), None)):
        account = Account(items=(Item("EUR", Decimal(1), due),))
        assert derive(account, today=TODAY, currency="EUR").oldest_overdue_days == days


def test_nobody_is_dunned_for_what_is_disputed_or_not_due() -> None:
    """A filter on the debt alone takes no customer to whom nothing is overdue (R3)."""
    document = {**O1, "filters": [condition("debt", ">", 50)]}
    item = owing().items[0]
    for items in ((replace(item, disputed=True),), (replace(item, due_date=TODAY),), ()):
        found = verdict(document, Account(items=items))
        assert not found.matched
        assert "nothing is open or overdue" in found.why_not
    marking = {**document, "action": "mark_problematic", "template": None}
    assert verdict(marking, Account(items=(replace(item, due_date=TODAY),))).matched  # J8's example


def test_reminders_of_instalments_need_an_agreed_date() -> None:
    """K4 is for who pays in parts, not for everybody."""
    document = {**O1, "action": "instalment_reminder", "filters": [condition("debt", ">", 0)]}
    assert not verdict(document, owing()).matched
    assert verdict(document, owing(agreed_dates=(TODAY,))).matched


def test_an_agreed_date_is_not_the_due_date() -> None:
    """X4: L10 counts from the oldest agreed date that has passed, L6 from the due date."""
    account = owing(overdue_days=40, agreed_dates=(TODAY - timedelta(3), TODAY + timedelta(5)))
    facts = derive(account, today=TODAY, currency="EUR")
    assert (facts.promise_overdue_days, facts.oldest_overdue_days) == (3, 40)
    on_the_day = derive(owing(agreed_dates=(TODAY,)), today=TODAY, currency="EUR")
    assert on_the_day.promise_overdue_days is None


def test_defaults_of_filters() -> None:
    """X16: no limit is not exceeded, no preference is "any"; the limit itself is not exceeded."""
    assert one("credit_limit_exceeded", "=", value=False, account=owing())
    assert one("preferred_contact", "=", "any", owing())
    limited = owing("100.00", credit_limit=Decimal("100.00"))
    assert one("credit_limit_exceeded", "=", value=False, account=limited)
    above = owing("100.01", credit_limit=Decimal("100.00"))
    assert one("credit_limit_exceeded", "=", value=True, account=above)
    assert not one("preferred_contact", "=", "any", owing(preferred_contact="post"))


@pytest.mark.parametrize(
    "field",
    [
        "days_since_last_notice",
        "oldest_overdue_days",
        "promise_overdue_days",
        "days_since_successful_call",
        "custom_field_1",
        "custom_field_7",
    ],
)
def test_what_is_not_there_satisfies_nothing(field: str) -> None:
    """X5: no operator whatsoever, != and < included."""
    account = Account(items=(Item("EUR", Decimal(5), TODAY),))
    for operator in FIELDS[field].operators:
        for value in ("A",) if FIELDS[field].kind is Kind.TEXT else (0, 1, 999_999_999):
            assert not one(field, operator, value, account)


@pytest.mark.parametrize("field", ["notices_count", "calls_count", "open_call_tasks"])
def test_a_count_of_nothing_is_zero(field: str) -> None:
    """Whoever was never dunned has had zero notices; that is a value."""
    assert one(field, "=", 0, owing())
    assert one(field, "<", 1, owing())


def test_custom_fields_are_compared_as_written() -> None:
    """L12: equal to all of it, or contained in it; capitals count."""
    account = owing(custom_fields=("VIP Kunde", "", "", "", "", "", "Süd"))
    assert one("custom_field_1", "=", "VIP Kunde", account)
    assert not one("custom_field_1", "=", "VIP", account)
    assert one("custom_field_1", "contains", "VIP", account)
    assert not one("custom_field_1", "contains", "vip", account)
    assert one("custom_field_7", "=", "Su\u0308d", account)  # composed alike (NFC)


NUMBERS = {
    Operator.EQUAL: (False, True, False),
    Operator.UNEQUAL: (True, False, True),
    Operator.LESS: (True, False, False),
    Operator.MORE: (False, False, True),
    Operator.AT_MOST: (True, True, False),
    Operator.AT_LEAST: (False, True, True),
}


@given(st.sampled_from(list(NUMBERS)), st.integers(1, 10**6), st.booleans())
def test_each_operator_below_at_and_above_its_value(
    operator: Operator,
    value: int,
    as_sum: bool,  # noqa: FBT001
) -> None:
    """L13: one below, the value itself, one above; sums differ by a cent."""
    step = Decimal("0.01") if as_sum else 1
    condition_ = Filter("debt" if as_sum else "notices_count", operator, value)
    found = tuple(holds(condition_, value + delta) for delta in (-step, 0 * step, step))
    assert found == NUMBERS[operator]
    assert not holds(condition_, None)


def test_level_and_counters_are_those_of_the_case() -> None:
    """X11: a customer whose case has ended is at the bottom again, and O1 takes them."""
    assert not verdict(O1, owing(ladder=dunned(2, 100))).matched
    assert verdict(O1, owing(ladder=Ladder())).matched
    settled = derive(owing(overdue_days=0, ladder=dunned(2, 9)), today=TODAY, currency="EUR")
    assert (settled.notices_count, settled.days_since_last_notice) == (0, None)
    item = replace(owing().items[0], disputed=True)
    disputed = Account(items=(item,), ladder=dunned(2, 9))
    assert derive(disputed, today=TODAY, currency="EUR").notices_count == 2


def test_lanes() -> None:
    """X6, X15: one notice or legal step a day over all rules; tasks and marks per rule."""
    assert {a for a in Action if lane(a, 7) == "step"} == {a for a in Action if TRAITS[a].takes_day}
    assert lane(Action.LAWYER_TASK, 7) == lane(Action.EMAIL, 8) == "step"
    assert lane(Action.CALL_TASK, 7) == "rule-7"
    assert {a for a in Action if TRAITS[a].raises_level} == {"email", "letter", "email_or_letter"}
