"""Signals worth a look (A5), and what a buyer's note asks for (A4)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.order import Buyer, OrderPayment, PaymentStatus
from domain.risk import risk_signals, special_instructions
from tests.domain.orders import BONN, order


def test_an_ordinary_order_has_no_signal() -> None:
    """Most orders are what they seem."""
    assert risk_signals(order()) == ()


def test_every_signal_is_said_in_plain_words_the_shop_s_own_first() -> None:
    """A person reads them and decides."""
    odd = order(
        risk_signals=("card country differs", "card country differs"),
        shipping=replace(BONN, country="LT"),
        buyer=Buyer(email="x@YOPmail.com"),
        payment=OrderPayment(PaymentStatus.LATER),
        total=Decimal("1000.00"),
    )

    assert risk_signals(odd) == (
        "card country differs",
        "billing and delivery country differ (DE, LT)",
        "the e-mail address is a throw-away mailbox",
        "a guest orders for 1000.00 EUR on account",
    )


def test_a_known_customer_may_order_much_on_account() -> None:
    """Only a guest's great order is a signal."""
    great = order(payment=OrderPayment(PaymentStatus.LATER), total=Decimal(5000))

    assert risk_signals(great) == ()


@pytest.mark.parametrize(
    ("note", "found"),
    [
        ("", ()),
        ("Vielen Dank!", ()),
        ("Bitte neutrale Verpackung", ("neutral_packaging",)),
        ("Please use plain packaging, it is a gift", ("neutral_packaging", "gift")),
        ("Ist ein Geschenk für Oma", ("gift",)),
        ("Liefertermin bitte ab 3.12.", ("delivery_date",)),
        ("Please deliver it after Friday", ("delivery_date",)),
        ("Beim Nachbarn abgeben", ("leave_with_neighbour",)),
        ("leave the parcel with my neighbor", ("leave_with_neighbour",)),
        ("Unsere USt-IdNr.: DE136695976", ("vat_id_in_note",)),
        ("VAT no. ATU13585627", ("vat_id_in_note",)),
        ("Bitte separate Rechnung an die Buchhaltung", ("separate_invoice",)),
        ("Rechnung bitte getrennt", ("separate_invoice",)),
        ("send the invoice to our head office", ("separate_invoice",)),
    ],
)
def test_notes_are_understood_in_german_and_english(note: str, found: tuple[str, ...]) -> None:
    """Keywords, no guesses."""
    assert special_instructions(note) == found
