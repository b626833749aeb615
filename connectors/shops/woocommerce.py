"""WooCommerce: orders of the REST API v3 and its webhooks.

Not read: refunds and downloads (their own processes), product ids (the article number says it).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.headers import header
from connectors.mapping import read_document
from connectors.shops.common import (
    address_parts,
    finished,
    kind_of,
    language_of,
    on_account,
    refused,
    unit_price,
)
from connectors.shops.port import (
    NO_HEADERS,
    Ignored,
    JsonObject,
    OrderEvent,
    OrderReference,
    ShopEvent,
    content_id,
    is_ping,
)
from connectors.shops.woocommerce_mapping import MAPPING
from connectors.signatures import verify_hmac_base64
from domain.errors import Problem
from domain.order import (
    Buyer,
    ChargeKind,
    Order,
    OrderCharge,
    OrderDiscount,
    OrderLine,
    OrderPayment,
    PaymentStatus,
    PriceMode,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from connectors.rows import Record

# What the order's status says of the money if a date of payment stands beside it, and if none does
# (cash on delivery and invoice gateways go to "processing" unpaid). A status that is not listed,
# such as a plugin's own, is OPEN: it is never taken for paid.
STATUSES = {
    "pending": (PaymentStatus.SUCCESSFUL, PaymentStatus.OPEN),
    "on-hold": (PaymentStatus.OPEN, PaymentStatus.OPEN),
    "processing": (PaymentStatus.SUCCESSFUL, PaymentStatus.LATER),
    "completed": (PaymentStatus.SUCCESSFUL, PaymentStatus.LATER),
    "refunded": (PaymentStatus.SUCCESSFUL, PaymentStatus.OPEN),
    "cancelled": (PaymentStatus.SUCCESSFUL, PaymentStatus.OPEN),
    "trash": (PaymentStatus.SUCCESSFUL, PaymentStatus.OPEN),
    "failed": (PaymentStatus.FAILED, PaymentStatus.FAILED),
}
_UNFINISHED = frozenset({"checkout-draft", "auto-draft", "draft"})
_OVER = frozenset({"cancelled", "refunded", "trash"})
_ZERO = Decimal(0)


class WooCommerceConnector:
    """Reads and checks what WooCommerce sends."""

    source = "woocommerce"

    def verify(self, headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
        """Check ``X-WC-Webhook-Signature``. The ping of a new webhook bears none, and says nothing.

        WooCommerce refuses to switch a webhook on whose ping is not answered with 200.
        """
        del now
        if not is_ping(body):
            verify_hmac_base64(headers, "X-WC-Webhook-Signature", body, secret)

    def event_id(self, headers: Mapping[str, str], document: JsonObject) -> str:
        """Return the delivery's id."""
        return header(headers, "X-WC-Webhook-Delivery-ID") or content_id(document)

    def read(
        self, document: JsonObject, *, channel: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> ShopEvent:
        """Read an order; pings, other topics and unfinished checkouts are ignored."""
        topic = header(headers, "X-WC-Webhook-Topic")
        if set(document) == {"webhook_id"}:
            return Ignored("The shop only tried whether the webhook can be reached.")
        if topic == "order.deleted":
            return OrderReference(str(document.get("id", ""))[:100], topic)
        if topic and not topic.startswith("order."):
            return Ignored(f"The topic {topic[:60]} is no change of an order.")
        if str(document.get("status")) in _UNFINISHED:
            return Ignored("The checkout is not finished: there is no order yet.")
        record = read_document(document, MAPPING, "WooCommerce order")
        return OrderEvent(finished(_Reader(record).order(channel)))


class _Reader:
    """Works out one order; what several lines need (price mode, rates) is looked up once."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.gross = record.flag("~prices_include_tax")
        self.rates = {
            line.text("rate_id"): line.amount_or_none("percent") for line in record.rows("~rates")
        }

    def order(self, channel: str) -> Order:
        record, status = self.record, self.record.text("payment.vendor_status")
        return Order(
            source=WooCommerceConnector.source,
            channel=channel,
            order_no=record.text("order_no"),
            external_id=record.text("external_id"),
            placed_at=record.moment("placed_at"),
            modified_at=record.moment("modified_at"),
            currency=record.text("currency"),
            price_mode=PriceMode.GROSS if self.gross else PriceMode.NET,
            buyer=self._buyer(),
            billing=address_parts(record, "billing"),
            shipping=address_parts(record, "shipping"),
            lines=self._lines(),
            charges=self._charges(),
            discounts=self._discounts(),
            payment=_payment(record),
            total=record.amount("total"),
            total_tax=record.amount_or_none("total_tax"),
            note=record.text("note"),
            cancelled=status in _OVER,
        )

    def _buyer(self) -> Buyer:
        record = self.record
        company, vat_id = record.text("billing.company"), record.text("buyer.vat_id")
        customer = record.text("buyer.external_id")
        return Buyer(
            external_id="" if customer == "0" else customer,
            kind=kind_of(company, vat_id),
            email=record.text("buyer.email"),
            phone=record.text("buyer.phone"),
            vat_id=vat_id,
            language=language_of(record.text("buyer.language")),
        )

    def _lines(self) -> tuple[OrderLine, ...]:
        coupons = ", ".join(coupon.text("code") for coupon in self.record.rows("~coupons"))
        lines, problems = [], []
        for index, line in enumerate(self.record.rows("lines")):
            before = self._amount(line, "~subtotal", "~subtotal_tax")
            after = self._amount(line, "~total", "~tax")
            if after > before:
                where, expected = f"line_items[{index}].total", f"at most the subtotal, {before}"
                problems.append(Problem(where, expected, str(after)))
            lines.append(
                OrderLine(
                    name=line.text("name"),
                    sku=line.text("sku"),
                    quantity=line.amount("quantity"),
                    unit_price=unit_price(before, line.amount("quantity")),
                    discount=before - after,
                    discount_reason=coupons[:300] if after < before else "",
                    tax_rate=self._rate(line),
                    shop_total=after,
                )
            )
        if problems:
            raise refused("WooCommerce order", *problems)
        return tuple(lines)

    def _charges(self) -> tuple[OrderCharge, ...]:
        rows = [(ChargeKind.SHIPPING, line) for line in self.record.rows("charges")]
        rows += [(ChargeKind.FEE, line) for line in self.record.rows("~fees")]
        return tuple(
            OrderCharge(kind, line.text("name"), amount, self._rate(line))
            for kind, line in rows
            if (amount := self._amount(line, "amount", "~tax")) > 0
        )

    def _discounts(self) -> tuple[OrderDiscount, ...]:
        return tuple(
            OrderDiscount(line.text("name"), -amount, self._rate(line))
            for line in self.record.rows("~fees")
            if (amount := self._amount(line, "amount", "~tax")) < 0
        )

    def _amount(self, line: Record, net: str, tax: str) -> Decimal:
        """Return the amount in the order's price mode."""
        return line.amount(net) + ((line.amount_or_none(tax) or _ZERO) if self.gross else _ZERO)

    def _rate(self, line: Record) -> Decimal | None:
        """Add up the rates that apply to the line; None if one of them is not named."""
        applied = [tax for tax in line.rows("~taxes") if tax.amount_or_none("total") is not None]
        percents = [self.rates.get(tax.text("rate_id")) for tax in applied]
        known = [percent for percent in percents if percent is not None]
        return sum(known, _ZERO) if len(known) == len(percents) else None


def _payment(record: Record) -> OrderPayment:
    vendor, paid_on = record.text("payment.vendor_status"), record.day_or_none("payment.paid_on")
    provider, method = record.text("payment.provider"), record.text("payment.method")
    dated, undated = STATUSES.get(vendor, (PaymentStatus.OPEN, PaymentStatus.OPEN))
    status = dated if paid_on else undated
    if vendor in {"pending", "on-hold"} and not paid_on and on_account(provider, method):
        status = PaymentStatus.LATER
    paid = status is PaymentStatus.SUCCESSFUL
    return OrderPayment(
        status=status,
        method=method or provider,
        provider=provider,
        transaction_id=record.text("payment.transaction_id"),
        paid_amount=record.amount("total") if paid else _ZERO,
        paid_on=paid_on if paid else None,
        vendor_status=vendor,
    )
