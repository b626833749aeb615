"""WooCommerce's orders, in the shape its REST API v3 and webhooks send."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.shops import SHOPS
from connectors.shops.port import Ignored, OrderReference
from domain.errors import RefusedError
from domain.order import ChargeKind, CustomerKind, PaymentStatus, PriceMode
from tests.connectors.samples import document, read, read_as

WOO = SHOPS["woocommerce"]


def test_gross_prices_are_put_together_again() -> None:
    """The API gives net and tax; the customer saw 34.50."""
    order = read("woocommerce-ok")

    assert order.price_mode is PriceMode.GROSS
    assert order.lines[0].unit_price == Decimal("34.50")
    assert order.lines[0].name == "Holzbrett Eiche – geölt"
    assert (order.charges[0].amount, order.charges[0].tax_rate) == (Decimal("4.90"), 19)
    assert (order.total, order.total_tax) == (Decimal("73.90"), Decimal("11.80"))
    assert order.placed_at == datetime(2026, 11, 16, 11, 2, 7, tzinfo=UTC)
    assert (order.order_no, order.buyer.external_id) == ("3101", "118")
    assert order.billing.name == order.buyer.name == "Birgit Lange"
    assert order.payment.status is PaymentStatus.OPEN
    assert (order.payment.provider, order.payment.method) == ("bacs", "Direkte Banküberweisung")


def test_two_rates_coupons_fees_and_another_address() -> None:
    """The coupon is in the lines, the negative fee is a discount of the order."""
    order = read("woocommerce-several-rates-shipping")

    assert [line.tax_rate for line in order.lines] == [7, 19, 7]
    assert [line.discount for line in order.lines] == [
        Decimal("3.16"),
        Decimal("3.45"),
        Decimal("2.40"),
    ]
    assert order.lines[0].discount_reason == "herbst10"
    assert [(charge.kind, charge.amount) for charge in order.charges] == [
        (ChargeKind.SHIPPING, Decimal("5.90")),
        (ChargeKind.FEE, Decimal("3.50")),
    ]
    assert [(d.name, d.amount, d.tax_rate) for d in order.discounts] == [
        ("Treuerabatt", Decimal("5.00"), 19)
    ]
    assert (order.shipping.name, order.shipping.extra) == ("Hanna Ebert", "Hinterhaus")
    payment = order.payment
    assert payment.status is PaymentStatus.SUCCESSFUL
    assert (payment.provider, payment.transaction_id) == ("ppcp-gateway", "6AB90214KJ551873L")
    assert (payment.paid_on, payment.paid_amount) == (date(2026, 11, 16), order.total)


def test_net_prices_of_a_business() -> None:
    """Amounts without tax, a VAT id among the meta data, paid on account."""
    order = read("woocommerce-b2b-net-invoice")

    assert order.price_mode is PriceMode.NET
    assert order.lines[0].unit_price == Decimal("11.20")
    assert (order.buyer.kind, order.buyer.vat_id) == (CustomerKind.B2B, "DE136695976")
    assert order.payment.status is PaymentStatus.LATER
    assert order.payment.paid_on is None


def test_a_gap_in_the_address_is_no_refusal() -> None:
    """The case waits."""
    order = read("woocommerce-missing-address")

    assert (order.billing.street, order.billing.postcode, order.billing.city) == ("", "", "Dresden")


@pytest.mark.parametrize(
    ("vendor", "paid", "unpaid"),
    [
        ("pending", "successful", "open"),
        ("on-hold", "open", "open"),
        ("processing", "successful", "later"),
        ("completed", "successful", "later"),
        ("failed", "failed", "failed"),
        ("cancelled", "successful", "open"),
        ("refunded", "successful", "open"),
        ("trash", "successful", "open"),
        ("wc-custom-paid", "open", "open"),
    ],
)
def test_each_status_with_and_without_a_date_of_payment(
    vendor: str, paid: str, unpaid: str
) -> None:
    """A status that nobody knows is never taken for paid."""
    changed = document("woocommerce-ok") | {"status": vendor, "payment_method": "cod"}
    order = read_as("woocommerce", changed)
    dated = read_as("woocommerce", changed | {"date_paid": "2026-11-16T12:30:00"})

    assert (dated.payment.status, order.payment.status) == (paid, unpaid)
    assert dated.payment.paid_amount == (order.total if paid == "successful" else 0)
    assert order.cancelled is (vendor in {"cancelled", "refunded", "trash"})


def test_an_open_invoice_method_means_later() -> None:
    """A bank transfer in advance does not."""
    changed = document("woocommerce-ok") | {"payment_method": "invoice"}

    assert read_as("woocommerce", changed).payment.status is PaymentStatus.LATER


def test_a_rate_without_its_percentage_is_a_gap() -> None:
    """Shops before WooCommerce 3.7 don't send rate_percent."""
    changed = document("woocommerce-ok")
    del changed["tax_lines"][0]["rate_percent"]

    assert {line.tax_rate for line in read_as("woocommerce", changed).lines} == {None}


def test_no_tax_is_zero_percent_and_a_blank_rate_does_not_apply() -> None:
    """``{"id": 2, "total": ""}`` stands for a rate of another line."""
    changed = document("woocommerce-ok")
    changed["line_items"][0]["taxes"].append({"id": 2, "total": "", "subtotal": ""})
    changed["shipping_lines"][0]["taxes"] = []
    order = read_as("woocommerce", changed)

    assert (order.lines[0].tax_rate, order.charges[0].tax_rate) == (19, 0)


def test_a_line_total_that_does_not_divide_keeps_its_cents() -> None:
    """100.00 for seven: six decimals, which times seven is 100.00 again."""
    changed = document("woocommerce-b2b-net-invoice")
    changed["line_items"][0] |= {"quantity": 7, "subtotal": "100.00", "total": "100.00"}
    line = read_as("woocommerce", changed).lines[0]

    assert line.unit_price == Decimal("14.285714")
    assert round(line.unit_price * 7, 2) == line.shop_total == 100


def test_a_guest_has_no_number() -> None:
    """WooCommerce calls a guest customer 0."""
    assert read("woocommerce-missing-address").buyer.external_id == ""


@pytest.mark.parametrize(
    ("headers", "body", "event"),
    [
        (
            {},
            {"webhook_id": "17"},
            Ignored("The shop only tried whether the webhook can be reached."),
        ),
        (
            {"X-WC-Webhook-Topic": "order.deleted"},
            {"id": 3101},
            OrderReference("3101", "order.deleted"),
        ),
        (
            {"X-WC-Webhook-Topic": "product.updated"},
            {"id": 1},
            Ignored("The topic product.updated is no change of an order."),
        ),
        (
            {"X-WC-Webhook-Topic": "order.created"},
            {"id": 1, "status": "checkout-draft"},
            Ignored("The checkout is not finished: there is no order yet."),
        ),
    ],
)
def test_what_is_no_order(headers: dict[str, str], body: dict[str, Any], event: object) -> None:
    """Ping, deletion, product, unfinished checkout."""
    assert WOO.read(body, channel="shop", headers=headers) == event


def test_the_event_id_is_the_delivery_s() -> None:
    """Else it is made of the content."""
    assert WOO.event_id({"x-wc-webhook-delivery-id": "d1"}, {}) == "d1"
    assert WOO.event_id({}, {"id": 1}) == WOO.event_id({}, {"id": 1})


def test_everything_wrong_is_named_at_once() -> None:
    """A line that became dearer by a coupon is wrong too, once the rest is right."""
    changed = document("woocommerce-ok") | {"currency": "BTC", "date_created_gmt": None}
    changed["line_items"][0]["quantity"] = -1
    changed["shipping_lines"][0]["total"] = "-4.12"
    with pytest.raises(RefusedError) as refusal:
        WOO.read(changed, channel="shop")
    assert [problem.field for problem in refusal.value.problems] == [
        "date_created_gmt",
        "currency",
        "line_items[0].quantity",
        "shipping_lines[0].total",
    ]

    with pytest.raises(RefusedError, match="status: expected text"):
        WOO.read(document("woocommerce-ok") | {"status": ["on-hold"]}, channel="shop")

    dearer = document("woocommerce-ok")
    dearer["line_items"][0]["total"] = "99.00"
    with pytest.raises(
        RefusedError, match=r"line_items\[0\]\.total: expected at most the subtotal"
    ):
        WOO.read(dearer, channel="shop")
