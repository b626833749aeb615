"""Shopify's orders, in the shapes its Admin API and webhooks send."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connectors.shops import SHOPS
from connectors.shops.port import Ignored, OrderEvent, OrderReference
from domain.errors import RefusedError
from domain.order import CustomerKind, PaymentStatus, PriceMode
from tests.connectors.samples import document, read, read_as

SHOPIFY = SHOPS["shopify"]


def test_a_plain_gross_order() -> None:
    """Who, what, how much, in what prices."""
    order = read("shopify-ok")

    assert (order.order_no, order.external_id) == ("1041", "5910040000041")
    assert order.price_mode is PriceMode.GROSS
    assert (order.currency, order.total, order.total_tax) == (
        "EUR",
        Decimal("64.70"),
        Decimal("10.33"),
    )
    line = order.lines[0]
    assert (line.name, line.sku, line.quantity) == ("Teller Nordlicht, 27 cm", "NK-TEL-27", 2)
    assert (line.unit_price, line.tax_rate, line.discount) == (Decimal("29.90"), 19, 0)
    assert (order.charges[0].name, order.charges[0].amount) == ("DHL Paket", Decimal("4.90"))
    assert order.billing == order.shipping
    assert (order.billing.street, order.billing.country) == ("Brunnenstraße 9", "DE")
    assert (order.buyer.name, order.buyer.kind) == ("Annika Reuter", CustomerKind.B2C)
    assert order.buyer.language == "de"
    assert order.payment.status is PaymentStatus.OPEN
    assert order.payment.paid_amount == 0


def test_order_discounts_come_with_the_lines_and_count_once() -> None:
    """Shopify allocates them; there is no second discount of the order."""
    order = read("shopify-paid")

    assert [line.discount for line in order.lines] == [Decimal("6.40"), Decimal("2.55")]
    assert {line.discount_reason for line in order.lines} == {"HERBST10"}
    assert order.discounts == ()
    assert [line.tax_rate for line in order.lines] == [19, 7]
    assert order.payment.status is PaymentStatus.SUCCESSFUL
    assert (order.payment.provider, order.payment.paid_amount) == ("shopify_payments", order.total)
    assert (order.billing.street, order.billing.postcode) == ("Hauptstr. 5", "69117")
    assert order.note.startswith("Bitte als Geschenk")


def test_a_business_order_with_net_prices_terms_and_discounts_of_every_kind() -> None:
    """Line discount, order discount, shipping discount; net 30; another delivery address."""
    order = read("shopify-b2b-net-discounts")

    assert order.price_mode is PriceMode.NET
    assert order.lines[0].discount == Decimal("20.40")
    assert order.lines[0].discount_reason == "Staffelpreis ab 20 Stück, GASTRO5"
    assert (order.charges[0].amount, order.charges[0].discount) == (19, Decimal("9.50"))
    assert (order.buyer.kind, order.buyer.vat_id) == (CustomerKind.B2B, "DE136695976")
    assert order.payment.status is PaymentStatus.LATER
    assert order.payment.due_date == date(2026, 12, 16)
    assert order.deal_reference == "B-2026-0815"
    assert order.shipping.street == "Marktplatz 3"


def test_an_invoice_is_in_the_currency_that_was_charged() -> None:
    """The shop counts in euro, the customer paid francs: every figure is francs."""
    order = read("shopify-chf")

    assert (order.currency, order.total) == ("CHF", Decimal("164.80"))
    assert [line.unit_price for line in order.lines] == [Decimal("74.90"), Decimal("39.50")]
    assert order.charges[0].amount == Decimal("10.90")
    assert {line.tax_rate for line in order.lines} == {0}


def test_a_missing_presentment_amount_is_never_replaced_by_the_shop_s() -> None:
    """That would be another currency without a word."""
    changed = document("shopify-chf")
    del changed["line_items"][0]["price_set"]["presentment_money"]

    with pytest.raises(RefusedError, match=r"price_set\.presentment_money\.amount: expected"):
        SHOPIFY.read(changed, channel="shop")


def test_an_edited_order_is_invoiced_as_it_is_now() -> None:
    """What was taken out is gone; what was made less has a smaller discount."""
    changed = document("shopify-paid")
    changed["line_items"][0]["current_quantity"] = 0
    changed["line_items"][1]["current_quantity"] = 2
    changed["current_total_price"] = "20.20"
    order = read_as("shopify", changed)

    assert [line.quantity for line in order.lines] == [2]
    assert order.lines[0].discount == Decimal("1.70")
    assert order.total == Decimal("20.20")


def test_tips_duties_and_fees_are_charges_that_wait_for_a_rate() -> None:
    """Shopify names no tax for them; accounting says which."""
    changed = document("shopify-ok")
    changed["total_tip_received"] = "5.00"
    changed["current_total_duties_set"] = {"presentment_money": {"amount": "3.00"}}
    order = read_as("shopify", changed)

    assert [(c.name, c.amount, c.tax_rate) for c in order.charges[1:]] == [
        ("Tip", 5, None),
        ("Duties", 3, None),
    ]
    changed["line_items"][0] |= {"title": "Tip", "tip_payment_gateway": "shopify_payments"}
    assert [charge.name for charge in read_as("shopify", changed).charges[1:]] == ["Duties"]


@pytest.mark.parametrize(
    ("vendor", "ours", "paid"),
    [
        ("pending", PaymentStatus.OPEN, "0"),
        ("authorized", PaymentStatus.OPEN, "0"),
        ("partially_paid", PaymentStatus.OPEN, "44.70"),
        ("paid", PaymentStatus.SUCCESSFUL, "44.70"),
        ("partially_refunded", PaymentStatus.SUCCESSFUL, "44.70"),
        ("refunded", PaymentStatus.SUCCESSFUL, "44.70"),
        ("voided", PaymentStatus.FAILED, "0"),
        ("expired", PaymentStatus.FAILED, "0"),
        ("paid_in_full_by_magic", PaymentStatus.OPEN, "0"),
        (None, PaymentStatus.OPEN, "0"),
    ],
)
def test_each_financial_status(vendor: str | None, ours: PaymentStatus, paid: str) -> None:
    """A status that nobody knows is never taken for paid."""
    changed = document("shopify-ok") | {"financial_status": vendor, "total_outstanding": "20.00"}
    order = read_as("shopify", changed)

    assert order.payment.status is ours
    assert order.payment.paid_amount == Decimal(paid)
    assert order.payment.vendor_status == (vendor or "")
    assert order.cancelled is (vendor == "refunded")


@pytest.mark.parametrize("gateway", ["Rechnung", "Kauf auf Rechnung", "Invoice", "Net 30"])
def test_an_invoice_as_payment_method_means_later(gateway: str) -> None:
    """Delivered first, paid later."""
    changed = document("shopify-ok") | {"payment_gateway_names": [gateway]}

    assert read_as("shopify", changed).payment.status is PaymentStatus.LATER


def test_cancelled_and_test_orders_say_so() -> None:
    """They are problems of the order, not refusals."""
    changed = document("shopify-ok") | {"cancelled_at": "2026-11-16T12:00:00+01:00", "test": True}
    order = read_as("shopify", changed)

    assert (order.cancelled, order.test) == (True, True)


def test_a_bare_order_has_gaps() -> None:
    """No customer, no addresses: the case waits for a person."""
    changed = document("shopify-ok")
    for key in ("customer", "billing_address", "shipping_address", "email", "contact_email"):
        changed[key] = None
    order = read_as("shopify", changed)

    assert (order.buyer.email, order.billing.street, order.buyer.external_id) == ("", "", "")


def test_the_answer_of_the_api_is_read_too() -> None:
    """``{"order": {...}}`` is what GET /orders/ID.json gives."""
    assert isinstance(SHOPIFY.read({"order": document("shopify-ok")}, channel="shop"), OrderEvent)


@pytest.mark.parametrize(
    ("topic", "body", "event"),
    [
        (
            "products/update",
            {"id": 1},
            Ignored("The topic products/update is no change of an order."),
        ),
        ("orders/delete", {"id": 5910040000041}, OrderReference("5910040000041", "orders/delete")),
        ("orders/edited", {"order_edit": {"order_id": 7}}, OrderReference("7", "orders/edited")),
        ("orders/edited", {"order_edit": {}}, Ignored("The event orders/edited names no order.")),
    ],
)
def test_other_topics(topic: str, body: dict[str, Any], event: object) -> None:
    """What names an order only is to be fetched; the rest is no business of ours."""
    assert SHOPIFY.read(body, channel="shop", headers={"x-shopify-topic": topic}) == event


def test_one_action_may_cause_events_of_two_topics() -> None:
    """The event id alone would make the second look like a repetition."""
    headers = {"X-Shopify-Event-Id": "e1", "X-Shopify-Topic": "orders/create"}
    other = headers | {"X-Shopify-Topic": "orders/paid"}
    bare = {"X-Shopify-Webhook-Id": "w1"}

    assert SHOPIFY.event_id(headers, {}) == "orders/create:e1"
    assert SHOPIFY.event_id(headers, {}) != SHOPIFY.event_id(other, {})
    assert SHOPIFY.event_id(bare, {}) == ":w1"
    assert SHOPIFY.event_id({}, {"id": 1}).startswith("sha256:")


def test_everything_wrong_is_named_at_once() -> None:
    """Quantity, price, currency, time."""
    changed = document("shopify-ok") | {"currency": "EURO", "presentment_currency": "EURO"}
    changed["processed_at"] = "yesterday"
    changed["line_items"][0] |= {"quantity": 0, "price": "-29.90"}
    with pytest.raises(RefusedError) as refusal:
        SHOPIFY.read(changed, channel="shop")

    assert [problem.field for problem in refusal.value.problems] == [
        "processed_at",
        "presentment_currency",
        "line_items[0].quantity",
        "line_items[0].price",
    ]
    assert re.fullmatch(r"The Shopify order cannot be read: .*\.", refusal.value.message)
