"""Shopware's orders, as the Admin API and the webhooks of apps send them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.shops import SHOPS
from connectors.shops.port import Ignored, OrderEvent, OrderReference
from connectors.shops.shopware_order import STATUSES
from domain.errors import RefusedError
from domain.order import CustomerKind, PaymentStatus, PriceMode
from tests.connectors.samples import document, read, read_as

SHOPWARE = SHOPS["shopware"]


def webhook(event: str, payload: object) -> dict[str, Any]:
    """Wrap a payload as Shopware does."""
    return {
        "source": {
            "url": "https://outdoor.example",
            "appVersion": "1.0.0",
            "shopId": "dgrH7nLU6tlE",
            "eventId": "7b04ebe416db4ebc93de4d791325e1d9",
        },
        "data": {"event": event, "payload": payload},
        "timestamp": 1794826904,
    }


def test_a_plain_gross_order_on_account() -> None:
    """Who, what, how much; the invoice payment method means later."""
    order = read("shopware-ok")

    assert (order.order_no, order.currency, order.total) == ("10071", "EUR", Decimal("114.84"))
    assert order.price_mode is PriceMode.GROSS
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("SW-JAC-M", 1, Decimal("89.95")),
        ("SW-PFL-200", 2, Decimal("9.95")),
    ]
    assert (order.charges[0].name, order.charges[0].tax_rate) == ("Standardversand", 19)
    assert order.total_tax == Decimal("18.34")
    assert (order.buyer.external_id, order.buyer.name) == ("20101", "Gesine Möller")
    assert order.billing == order.shipping
    assert order.payment.status is PaymentStatus.LATER
    assert order.payment.provider == "payment_invoicepayment"


def test_promotions_reduce_each_rate_and_shipping() -> None:
    """The promotion's calculated taxes say how it falls on the rates."""
    order = read("shopware-promotion")

    assert [(d.name, d.amount, d.tax_rate) for d in order.discounts] == [
        ("Herbstaktion 10 %", Decimal("6.90"), 19),
        ("Herbstaktion 10 %", Decimal("3.90"), 7),
        ("Gratisversand ab 80 Euro", Decimal("3.19"), 19),
        ("Gratisversand ab 80 Euro", Decimal("1.80"), 7),
    ]
    assert [(c.amount, c.tax_rate) for c in order.charges] == [
        (Decimal("3.19"), 19),
        (Decimal("1.80"), 7),
    ]
    assert order.payment.status is PaymentStatus.SUCCESSFUL
    assert (order.payment.transaction_id, order.payment.paid_amount) == (
        "3C679366HH908993F",
        Decimal("97.20"),
    )
    assert order.note.startswith("Lieferung bitte nicht vor")


def test_three_rates_to_austria() -> None:
    """20, 10 and 13 percent, in the customer's language."""
    order = read("shopware-gross-three-rates")

    assert [line.tax_rate for line in order.lines] == [20, 10, 13]
    assert (order.billing.country, order.buyer.language) == ("AT", "de")


def test_net_prices_a_credit_and_a_chargeback() -> None:
    """A credit reduces the order; the delivery goes elsewhere; the money was taken back."""
    order = read("shopware-b2b-net-chargeback")

    assert order.price_mode is PriceMode.NET
    assert (order.discounts[0].amount, order.discounts[0].tax_rate) == (25, 19)
    assert (order.buyer.kind, order.buyer.vat_id) == (CustomerKind.B2B, "DE136695976")
    assert order.shipping.city == "Regensburg"
    assert order.shipping.street == "Donaulände 40"
    assert order.payment.status is PaymentStatus.CHARGEBACK


def test_tax_free_is_net_at_zero_percent() -> None:
    """Shopware calculates no taxes at all then."""
    changed = document("shopware-ok")
    changed["price"] |= {"taxStatus": "tax-free", "calculatedTaxes": []}
    for line in changed["lineItems"]:
        line["price"]["calculatedTaxes"] = []
    order = read_as("shopware", changed)

    assert order.price_mode is PriceMode.NET
    assert {line.tax_rate for line in order.lines} == {0}
    assert order.charges[0].tax_rate == 0


def test_a_mixed_bundle_becomes_one_line_per_rate_and_its_parts_are_left_out() -> None:
    """The parts stand in the price of the whole."""
    changed = document("shopware-ok")
    bundle = changed["lineItems"][0]
    bundle["price"]["calculatedTaxes"] = [
        {"taxRate": 19, "price": 60, "tax": 9.58},
        {"taxRate": 7, "price": 29.95, "tax": 1.96},
    ]
    changed["lineItems"].append({**changed["lineItems"][1], "id": "x", "parentId": bundle["id"]})
    order = read_as("shopware", changed)

    assert [(line.unit_price, line.tax_rate) for line in order.lines] == [
        (60, 19),
        (Decimal("29.95"), 7),
        (Decimal("9.95"), 19),
    ]


def test_no_calculated_tax_is_a_gap() -> None:
    """The case waits for a rate."""
    changed = document("shopware-ok")
    changed["lineItems"][0]["price"]["calculatedTaxes"] = []

    assert read_as("shopware", changed).lines[0].tax_rate is None


@pytest.mark.parametrize("vendor", [*STATUSES, "paid_by_magic", ""])
def test_each_state_of_the_payment(vendor: str) -> None:
    """R56; a state that nobody knows is never taken for paid."""
    changed = document("shopware-gross-three-rates")
    changed["transactions"][0]["stateMachineState"]["technicalName"] = vendor
    order = read_as("shopware", changed)

    expected = STATUSES.get(vendor, PaymentStatus.OPEN)
    assert order.payment.status is expected
    assert order.payment.vendor_status == vendor
    paid = expected is PaymentStatus.SUCCESSFUL
    assert order.payment.paid_amount == (order.total if paid else 0)
    assert order.cancelled is (vendor == "refunded")


def test_the_last_way_to_pay_that_was_not_cancelled_counts() -> None:
    """The buyer tried PayPal, then switched to invoice; a third try was cancelled."""
    changed = document("shopware-ok")
    invoice = changed["transactions"][0]

    def attempt(minute: int, state: str) -> dict[str, Any]:
        return {
            **invoice,
            "createdAt": f"2026-11-16T13:{minute:02d}:00.000+00:00",
            "stateMachineState": {"technicalName": state},
            "paymentMethod": {"technicalName": "swag_paypal_pay_pal", "name": "PayPal"},
        }

    changed["transactions"] = [attempt(59, "cancelled"), invoice, attempt(0, "failed")]
    assert read_as("shopware", changed).payment.status is PaymentStatus.LATER
    changed["transactions"] = [attempt(59, "cancelled")]
    assert read_as("shopware", changed).payment.status is PaymentStatus.FAILED
    changed["transactions"] = []
    assert read_as("shopware", changed).payment.status is PaymentStatus.OPEN


def test_a_cancelled_order_says_so() -> None:
    """By the order's own state machine."""
    changed = document("shopware-ok")
    changed["stateMachineState"]["technicalName"] = "cancelled"

    assert read_as("shopware", changed).cancelled


def test_a_negative_price_that_is_no_reduction_is_refused() -> None:
    """Only promotions, credits and discounts may be negative."""
    changed = document("shopware-ok")
    changed["lineItems"][1] |= {"unitPrice": -9.95, "totalPrice": -19.9}

    with pytest.raises(
        RefusedError, match=r"lineItems\[1\]\.totalPrice: expected an amount from 0"
    ):
        SHOPWARE.read(changed, channel="shop")


def test_the_answers_of_the_admin_api_are_read() -> None:
    """One order by id, or a search that found one; addresses instead of billingAddress."""
    order = document("shopware-ok")
    apart = {**order, "billingAddress": None}

    for answer in ({"data": order}, {"total": 1, "data": [order]}, {"elements": [apart]}):
        event = SHOPWARE.read(answer, channel="shop")
        assert isinstance(event, OrderEvent)
        assert event.order.billing.street == "Hafenweg 19"
    with pytest.raises(RefusedError, match="Accept: application/json"):
        SHOPWARE.read({"data": {"type": "order", "attributes": {}}}, channel="shop")


def test_a_webhook_with_the_whole_order_is_an_order() -> None:
    """checkout.order.placed, and every change of a payment's state."""
    for event in ("checkout.order.placed", "state_enter.order_transaction.state.paid"):
        document_ = webhook(event, {"order": document("shopware-ok")})
        assert isinstance(SHOPWARE.read(document_, channel="shop"), OrderEvent)
    assert SHOPWARE.event_id({}, document_) == "7b04ebe416db4ebc93de4d791325e1d9"
    assert SHOPWARE.event_id({"X-Shopware-Event-Id": "e9"}, document_) == "e9"


def test_a_webhook_with_less_is_a_reference() -> None:
    """The order is to be fetched with its associations."""
    order = document("shopware-ok")
    thin = {key: order[key] for key in ("id", "orderNumber", "price")}
    placed = webhook("checkout.order.placed", {"order": thin})
    written = webhook(
        "order.written",
        [
            {"entity": "order_address", "primaryKey": "a", "operation": "update"},
            {
                "entity": "order",
                "primaryKey": {"id": "o1", "versionId": "v"},
                "operation": "update",
            },
        ],
    )

    expected = OrderReference(order["id"], "checkout.order.placed")
    assert SHOPWARE.read(placed, channel="shop") == expected
    assert SHOPWARE.read(written, channel="shop") == OrderReference("o1", "order.written")


@pytest.mark.parametrize(
    "payload",
    [[], {}, None, [{"entity": "product", "primaryKey": "p"}], {"order": {}}, {"customer": {}}],
)
def test_a_webhook_about_something_else_is_ignored(payload: object) -> None:
    """With a reason."""
    event = SHOPWARE.read(webhook("product.written", payload), channel="shop")

    assert isinstance(event, Ignored)
    assert "product.written" in event.reason
