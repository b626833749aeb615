"""Shopify: orders of the Admin REST API and its webhooks.

Not read: refunds and fulfilments (their own processes), transactions and risk assessments, which
Shopify keeps in other resources; so a Shopify order names no transaction id and no risk.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from connectors.headers import header
from connectors.mapping import read_document
from connectors.shops.common import address, finished, kind_of, language_of, on_account
from connectors.shops.port import (
    NO_HEADERS,
    Ignored,
    JsonObject,
    OrderEvent,
    OrderReference,
    ShopEvent,
    content_id,
)
from connectors.shops.shopify_mapping import PRESENTMENT_MONEY, SHOP_MONEY
from connectors.signatures import verify_hmac_base64
from domain.order import (
    Buyer,
    ChargeKind,
    CustomerKind,
    Order,
    OrderCharge,
    OrderLine,
    OrderPayment,
    PaymentStatus,
    PriceMode,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from connectors.rows import Record

# What the financial_status says of the money. "authorized" is a promise of the card's bank, no
# money yet; "voided" and "expired" are such promises that lapsed. A status that is not listed here
# is OPEN: it is never taken for paid.
STATUSES = {
    "pending": PaymentStatus.OPEN,
    "authorized": PaymentStatus.OPEN,
    "partially_paid": PaymentStatus.OPEN,
    "paid": PaymentStatus.SUCCESSFUL,
    "partially_refunded": PaymentStatus.SUCCESSFUL,
    "refunded": PaymentStatus.SUCCESSFUL,
    "voided": PaymentStatus.FAILED,
    "expired": PaymentStatus.FAILED,
}
_ORDER_TOPICS = {
    f"orders/{event}"
    for event in (
        "create",
        "updated",
        "paid",
        "cancelled",
        "fulfilled",
        "partially_fulfilled",
    )
}
_CENT = Decimal("0.01")
_ZERO = Decimal(0)


class ShopifyConnector:
    """Reads and checks what Shopify sends."""

    source = "shopify"

    def verify(self, headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
        """Check ``X-Shopify-Hmac-Sha256``, made with the app's client secret."""
        del now
        verify_hmac_base64(headers, "X-Shopify-Hmac-Sha256", body, secret)

    def event_id(self, headers: Mapping[str, str], document: JsonObject) -> str:
        """Return topic and event id: one action can cause events of several topics."""
        event = header(headers, "X-Shopify-Event-Id") or header(headers, "X-Shopify-Webhook-Id")
        if not event:
            return content_id(document)
        return f"{header(headers, 'X-Shopify-Topic')}:{event}"

    def read(
        self, document: JsonObject, *, channel: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> ShopEvent:
        """Read an order, bare or as ``{"order": {...}}``; other topics are ignored."""
        topic = header(headers, "X-Shopify-Topic")
        if topic == "orders/edited" or "order_edit" in document:
            return _reference(document.get("order_edit"), "order_id", "orders/edited")
        if topic == "orders/delete":
            return _reference(document, "id", topic)
        if topic and topic not in _ORDER_TOPICS:
            return Ignored(f"The topic {topic[:60]} is no change of an order.")
        inner = document.get("order")
        order = inner if isinstance(inner, dict) and "line_items" not in document else document
        shop, charged = order.get("currency"), order.get("presentment_currency")
        rows = PRESENTMENT_MONEY if charged and charged != shop else SHOP_MONEY
        record = read_document(order, rows, "Shopify order")
        return OrderEvent(finished(_order(record, channel, presentment=rows is PRESENTMENT_MONEY)))


def _reference(document: object, key: str, event: str) -> ShopEvent:
    wanted = document.get(key) if isinstance(document, dict) else None
    if not isinstance(wanted, int | str) or not str(wanted):
        return Ignored(f"The event {event} names no order.")
    return OrderReference(str(wanted), event)


def _order(record: Record, channel: str, *, presentment: bool) -> Order:
    payment = _payment(record, presentment=presentment)
    return Order(
        source=ShopifyConnector.source,
        channel=channel,
        order_no=record.text("order_no").removeprefix("#") or record.text("external_id"),
        external_id=record.text("external_id"),
        placed_at=record.moment("placed_at"),
        modified_at=record.moment("modified_at"),
        currency=record.text("currency"),
        price_mode=PriceMode.GROSS if record.flag("~taxes_included") else PriceMode.NET,
        buyer=_buyer(record),
        billing=address(record, "billing"),
        shipping=address(record, "shipping"),
        lines=_lines(record),
        charges=_charges(record),
        payment=payment,
        total=record.amount("total"),
        total_tax=record.amount_or_none("total_tax"),
        note=record.text("note"),
        deal_reference=record.text("deal_reference"),
        # Wholly refunded or cancelled: nothing is to be invoiced unless a person says so.
        cancelled=record.moment_or_none("cancelled") is not None
        or payment.vendor_status == "refunded",
        test=record.flag("test"),
    )


def _buyer(record: Record) -> Buyer:
    company, vat_id = record.text("billing.company"), record.text("buyer.vat_id")
    kind = CustomerKind.B2B if record.flag("~b2b") else kind_of(company, vat_id)
    return Buyer(
        external_id=record.text("buyer.external_id"),
        kind=kind,
        name=f"{record.text('~first_name')} {record.text('~last_name')}".strip(),
        company=company,
        email=record.text("buyer.email"),
        phone=record.text("buyer.phone"),
        vat_id=vat_id,
        language=language_of(record.text("buyer.language")),
    )


def _lines(record: Record) -> tuple[OrderLine, ...]:
    names = [application.text("name") for application in record.rows("~applications")]
    return tuple(_line(line, names) for line in record.rows("lines") if line.amount("quantity"))


def _line(line: Record, names: list[str]) -> OrderLine:
    """Take what is left of a line after edits; its discount shrinks with its quantity."""
    quantity, ordered = line.amount("quantity"), line.amount("~ordered")
    discount, reason = _discount(line, names)
    if quantity != ordered:
        discount = (discount * quantity / ordered).quantize(_CENT, rounding=ROUND_HALF_UP)
    return OrderLine(
        name=line.text("name"),
        sku=line.text("sku"),
        quantity=quantity,
        unit_price=line.amount("unit_price"),
        discount=discount,
        discount_reason=reason,
        tax_rate=None if line.text("~tip") else _rate(line),
    )


def _discount(line: Record, names: list[str]) -> tuple[Decimal, str]:
    allocations = line.rows("~discounts")
    indexes = [allocation.amount_or_none("index") for allocation in allocations]
    reasons = [names[int(at)] for at in indexes if at is not None and at < len(names)]
    total = sum((allocation.amount("amount") for allocation in allocations), _ZERO)
    return total, ", ".join(dict.fromkeys(filter(None, reasons)))[:300]


def _rate(line: Record) -> Decimal:
    """Return the rate in percent. Shopify lists no tax line where it charges no tax."""
    return sum((tax.amount("rate") for tax in line.rows("~taxes")), _ZERO) * 100


def _charges(record: Record) -> tuple[OrderCharge, ...]:
    charges = [
        OrderCharge(
            kind=ChargeKind.SHIPPING,
            name=line.text("name"),
            amount=line.amount("amount"),
            tax_rate=_rate(line),
            discount=_discount(line, [])[0],
        )
        for line in record.rows("charges")
        if not line.flag("~removed")
    ]
    # A tip given at the till is a line as well; one given online stands in the total only.
    tip_is_line = any(line.text("~tip") for line in record.rows("lines"))
    extras = (
        ("Tip", _ZERO if tip_is_line else record.amount("~tip")),
        ("Duties", record.amount("~duties")),
        ("Additional fees", record.amount("~fees")),
    )
    charges += [OrderCharge(ChargeKind.FEE, name, amount, None) for name, amount in extras]
    return tuple(charges)


def _payment(record: Record, *, presentment: bool) -> OrderPayment:
    vendor = record.text("payment.vendor_status")
    methods = record.value("payment.method", tuple)
    status = STATUSES.get(vendor, PaymentStatus.OPEN)
    terms = record.flag("~terms") or on_account(*methods)
    if status is PaymentStatus.OPEN and terms and vendor in {"pending", "partially_paid"}:
        status = PaymentStatus.LATER
    due = [day for one in record.rows("~schedules") if (day := one.day_or_none("due"))]
    return OrderPayment(
        status=status,
        method=", ".join(methods),
        provider=methods[0] if methods else "",
        paid_amount=_paid(record, status, vendor, presentment=presentment),
        due_date=max(due, default=None),
        vendor_status=vendor,
    )


def _paid(record: Record, status: PaymentStatus, vendor: str, *, presentment: bool) -> Decimal:
    """Return what Shopify has received: the total less what it still awaits.

    What is still awaited is told in the shop's currency only, so of a part payment in another
    currency nothing is claimed: the provider's own notice will name the sum.
    """
    total = record.amount("total")
    if status is PaymentStatus.SUCCESSFUL and presentment:
        return total
    outstanding = record.amount_or_none("~outstanding")
    if status is PaymentStatus.SUCCESSFUL or (vendor == "partially_paid" and not presentment):
        return max(total - (outstanding or _ZERO), _ZERO)
    return _ZERO
