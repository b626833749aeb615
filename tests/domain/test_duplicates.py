"""The two digests that catch an order that was given twice (A7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.duplicates import content_digest, fingerprint
from domain.order import Buyer, Order, OrderLine, OrderPayment, PaymentStatus
from tests.domain.orders import BONN, line, order

_LINES = st.lists(
    st.builds(
        line,
        sku=st.sampled_from("ABC"),
        quantity=st.decimals(1, 9, places=0),
        unit_price=st.decimals(0, 99, places=2),
    ),
    min_size=1,
    max_size=6,
)


def again(first: Order) -> Order:
    """Return the order as a double click gives it: another number, seconds later."""
    later = first.placed_at + timedelta(seconds=40)
    return replace(first, order_no="ZT-2", external_id="2", placed_at=later, modified_at=later)


@given(_LINES, st.randoms(use_true_random=False))
def test_the_order_of_the_lines_does_not_matter(lines: list[OrderLine], dice: object) -> None:
    """A reloaded checkout may list them differently."""
    shuffled = list(lines)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]

    first = order(lines=tuple(lines))
    assert fingerprint(first) == fingerprint(again(replace(first, lines=tuple(shuffled))))


def test_how_a_number_is_written_does_not_matter() -> None:
    """119, 119.0 and 119.00 are one amount."""
    assert fingerprint(order(total=Decimal(119))) == fingerprint(order(total=Decimal("119.000")))
    assert content_digest(order(total=Decimal(119))) == content_digest(order())


@pytest.mark.parametrize(
    "changes",
    [
        {"total": Decimal("119.01")},
        {"currency": "CHF"},
        {"lines": (line(quantity=Decimal(2)),)},
        {"lines": (line(sku="ANDERE"),)},
        {"lines": (line(), line())},
        {"buyer": Buyer(email="someone.else@example.org")},
    ],
)
def test_another_customer_position_or_total_is_another_order(changes: dict[str, object]) -> None:
    """Only a true double matches."""
    assert fingerprint(order(**changes)) != fingerprint(order())


def test_the_customer_is_known_by_mail_then_account_then_name_and_place() -> None:
    """Guests have no account; a mail address cares not for case."""
    assert fingerprint(order(buyer=Buyer(email="K.Brandt@Example.org"))) == fingerprint(order())
    account, other = Buyer("K-1"), Buyer("K-2")
    assert fingerprint(order(buyer=account)) != fingerprint(order(buyer=other))
    assert fingerprint(order(buyer=account)) == fingerprint(order(buyer=account, billing=BONN))
    stranger = order(buyer=Buyer(), billing=replace(BONN, name="Wer anders"))
    assert fingerprint(order(buyer=Buyer())) != fingerprint(stranger)


def test_the_digest_of_the_content_leaves_payment_and_time_out() -> None:
    """A payment or a shop's touch of the record does not make another order."""
    first = order()
    paid = replace(
        first,
        payment=OrderPayment(PaymentStatus.SUCCESSFUL, paid_amount=first.total),
        modified_at=first.modified_at + timedelta(hours=1),
        note="Danke!",
        risk_signals=("look",),
    )

    assert content_digest(paid) == content_digest(first)


@pytest.mark.parametrize(
    "changes",
    [
        {"billing": replace(BONN, city="Köln")},
        {"lines": (line(tax_rate=Decimal(7)),)},
        {"cancelled": True},
        {"total": Decimal(1)},
    ],
)
def test_the_digest_of_the_content_sees_what_was_agreed(changes: dict[str, object]) -> None:
    """Parties, positions, totals, and whether it stands."""
    assert content_digest(order(**changes)) != content_digest(order())


def test_the_digests_are_stable() -> None:
    """They are stored: a change of the code must not change them unseen."""
    assert fingerprint(order()) == (
        "70825b66d2b402643063debd083d30cf34f9e0964cbdbc88fff619fd8c5a45c4"
    )
    assert content_digest(order()) == (
        "bc62759d6983faa029376e5782099b54a389c12a806cb6a58a9e04c72f8c8660"
    )
