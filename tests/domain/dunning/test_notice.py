"""What a notice is: one currency, the right sum, a deadline on a working day (R4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calendar import is_working_day
from domain.dunning.ladder import TEMPLATES
from domain.dunning.notice import (
    AgreedPayment,
    by_currency,
    days_to_pay,
    deadline_of,
    notice_deadline,
)
from domain.order import Address
from tests.documents.notices import SENT, recipient, sample_notice, some_lines

BONN = Address(country="DE", region="NW")
MUNICH = Address(country="DE", region="BY")
VIENNA = Address(country="AT")
D = Decimal


@pytest.mark.parametrize(
    ("sent_on", "days", "places", "deadline"),
    [
        (date(2026, 11, 23), 10, (BONN,), date(2026, 12, 3)),
        (date(2026, 11, 24), 10, (BONN,), date(2026, 12, 4)),  # a Friday
        (date(2026, 11, 25), 10, (BONN,), date(2026, 12, 7)),  # Saturday: Monday
        (date(2026, 12, 15), 10, (BONN,), date(2026, 12, 28)),  # Christmas, then a weekend
        (date(2026, 3, 24), 10, (BONN,), date(2026, 4, 7)),  # Good Friday to Easter Monday
        (date(2026, 5, 28), 7, (BONN,), date(2026, 6, 5)),  # Corpus Christi
        (date(2026, 5, 28), 7, (Address(country="DE"),), date(2026, 6, 4)),  # no region: federal
        (date(2026, 12, 27), 10, (BONN,), date(2027, 1, 6)),
        (date(2026, 12, 27), 10, (MUNICH,), date(2027, 1, 7)),  # Epiphany in Bavaria
        (date(2026, 12, 27), 10, (BONN, MUNICH), date(2027, 1, 7)),  # off at one place is enough
        (date(2026, 11, 28), 10, (VIENNA, BONN), date(2026, 12, 9)),  # 8 December in Austria
        (date(2026, 11, 28), 10, (Address(),), date(2026, 12, 8)),  # nowhere: weekends only
    ],
)
def test_the_deadline_is_a_working_day_at_every_place(
    sent_on: date, days: int, places: tuple[Address, ...], deadline: date
) -> None:
    """Par. 187 (1), 188 (1), 193 BGB: the day of sending is not counted, a day off moves it on."""
    assert notice_deadline(sent_on, days, *places) == deadline


@given(st.dates(date(2020, 1, 1), date(2035, 1, 1)), st.integers(1, 30))
def test_nobody_gets_less_time_than_promised(sent_on: date, days: int) -> None:
    """And never much more: holidays come at most a few in a row."""
    deadline = notice_deadline(sent_on, days, MUNICH, VIENNA)

    assert timedelta(days) <= deadline - sent_on <= timedelta(days + 6)
    assert is_working_day(deadline, "DE", "BY")
    assert is_working_day(deadline, "AT")


def test_the_final_notice_leaves_seven_days_and_letters_the_post_s() -> None:
    """A letter that is read on its deadline would be a bad joke."""
    assert [days_to_pay(name) for name in TEMPLATES] == [10, 10, 7, 10]
    assert days_to_pay("final_notice", by_letter=True) == 10
    assert deadline_of("final_notice", SENT, BONN) == date(2026, 11, 30)
    with pytest.raises(ValueError, match="at least a day"):
        notice_deadline(SENT, 0, BONN)


@pytest.mark.parametrize(
    ("agreed", "deadline"),
    [
        ((date(2026, 12, 10),), date(2026, 12, 10)),
        ((date(2026, 12, 12),), date(2026, 12, 14)),  # a Saturday
        ((SENT,), SENT),
        ((date(2026, 12, 20), date(2026, 12, 10)), date(2026, 12, 10)),
        ((date(2026, 11, 10),), date(2026, 12, 3)),  # missed: a new one
        ((date(2026, 11, 10), date(2026, 12, 10)), date(2026, 12, 3)),
    ],
)
def test_what_was_agreed_for_later_stays_due_then(agreed: tuple[date, ...], deadline: date) -> None:
    """A reminder does not shorten an agreement."""
    payments = tuple(AgreedPayment(day, D(10)) for day in agreed)

    assert deadline_of("instalment_reminder", SENT, BONN, agreed=payments) == deadline


def test_the_sum_is_that_of_the_lines() -> None:
    """119 + 129 + 139."""
    notice = sample_notice(count=3)

    assert (notice.total, notice.payable, notice.currency) == (D(387), D(387), "EUR")


@pytest.mark.parametrize(
    ("amounts", "payable"),
    [((D(50),), D(50)), ((D(50), D("12.50")), D("62.50")), ((None,), D(119)), ((D(500),), D(119))],
)
def test_of_an_agreement_only_what_was_agreed_is_asked_for(
    amounts: tuple[Decimal | None, ...], payable: Decimal
) -> None:
    """All of it where all was promised; never more than is open."""
    agreed = tuple(AgreedPayment(SENT, amount) for amount in amounts)

    assert sample_notice("instalment_reminder", agreed=agreed).payable == payable


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lines": some_lines() + some_lines(currency="CHF")}, "one currency"),
        ({"lines": ()}, "without an open invoice"),
        ({"template": "fourth_notice"}, "no template"),
        ({"agreed": (AgreedPayment(SENT),)}, "agreed payments belong"),
        ({"template": "instalment_reminder", "agreed": ()}, "agreed payments belong"),
        ({"deadline": date(2026, 11, 22)}, "before it is sent"),
    ],
)
def test_what_is_no_notice_is_none(changes: dict[str, Any], words: str) -> None:
    """Sums of two currencies are never one; a deadline is never over."""
    with pytest.raises(ValueError, match=words):
        sample_notice(**changes)


@pytest.mark.parametrize("amount", [D(0), D(-1)])
def test_what_is_paid_is_not_dunned(amount: Decimal) -> None:
    """A credit is no claim."""
    with pytest.raises(ValueError, match="is not open"):
        some_lines(open_amount=amount)


def test_who_owes_in_two_currencies_gets_a_notice_in_each() -> None:
    """The company's currency first, the oldest invoice first."""
    lines = [
        *some_lines(currency="CHF"),
        *some_lines(3)[::-1],
        *some_lines(currency="CHF", due_date=date(2026, 1, 1)),
    ]
    groups = by_currency(lines, "EUR")

    assert list(groups) == ["EUR", "CHF"]
    assert [line.due_date.day for line in groups["EUR"]] == [16, 17, 18]
    assert [line.due_date.year * 100 + line.due_date.month for line in groups["CHF"]] == [
        202601,
        202609,
    ]


def test_the_reference_of_the_transfer_names_the_invoices_or_the_notice() -> None:
    """At most 140 characters reach the bank."""
    few, many = sample_notice(count=3), sample_notice(count=30)

    assert few.remittance == "RE-2026-00001 RE-2026-00002 RE-2026-00003 K-10023"
    assert many.remittance == "M-2026-00017 K-10023"


def test_a_notice_repeats_only_where_every_invoice_was_named_before() -> None:
    """Nobody who got no reminder reads "despite our reminder"."""
    first, second = some_lines(2)

    assert sample_notice(lines=(replace(first, notices_before=1),)).repeats
    assert not sample_notice(lines=(replace(first, notices_before=1), second)).repeats
    assert recipient(address=replace(recipient().address, name="")).salutation_name
