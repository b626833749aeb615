"""Our own documented order (``zahltag``): docs/schemas/order.schema.json is made from this mapping.

For shops and systems without a connector, and for tests. Signed as https://www.standardwebhooks.com
says. Fields that are not documented are refused: a misspelt ``discuont`` would cost somebody money.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.conversions import (
    AMOUNT,
    CURRENCY,
    DAY,
    FLAG,
    MOMENT,
    POSITIVE,
    RATE,
    exact,
    one_of,
    text,
    texts,
)
from connectors.headers import header
from connectors.mapping import Each, Field, Record, Row, read_document
from connectors.shops.common import address, finished, kind_of, language_of
from connectors.shops.port import NO_HEADERS, JsonObject, OrderEvent, ShopEvent, content_id
from connectors.signatures import verify_standard
from domain.order import (
    Buyer,
    ChargeKind,
    CustomerKind,
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

_ZERO = Decimal(0)
_AMOUNT, _RATE, _QUANTITY = exact(AMOUNT), exact(RATE), exact(POSITIVE)
_KINDS = one_of({kind.value: kind for kind in CustomerKind})
_CHARGES = one_of({kind.value: kind for kind in ChargeKind})
_PRICES = one_of({mode.value: mode for mode in PriceMode})
_STATUSES = one_of({status.value: status for status in PaymentStatus})


def _address_rows(reads: str, fills: str) -> tuple[Field, ...]:
    return (
        Field(f"{reads}.name", f"{fills}.name", says="the person"),
        Field(f"{reads}.company", f"{fills}.company"),
        Field(f"{reads}.street", f"{fills}.street", says="with house number"),
        Field(f"{reads}.extra", f"{fills}.extra"),
        Field(f"{reads}.postcode", f"{fills}.postcode", text(20)),
        Field(f"{reads}.city", f"{fills}.city"),
        Field(f"{reads}.region", f"{fills}.region"),
        Field(f"{reads}.country", f"{fills}.country", text(60), says="two letters, such as DE"),
    )


MAPPING: tuple[Row, ...] = (
    Field("order_no", "order_no", text(64), required=True, says="unique in its channel"),
    Field(("external_id", "order_no"), "external_id", text(100), says="your technical id"),
    Field("placed_at", "placed_at", MOMENT, required=True),
    Field(("modified_at", "placed_at"), "modified_at", MOMENT, says="of versions, the last counts"),
    Field("currency", "currency", CURRENCY, required=True),
    Field("prices", "price_mode", _PRICES, required=True, says="whether prices contain the tax"),
    Field("buyer.customer_id", "buyer.external_id", text(100)),
    Field("buyer.kind", "buyer.kind", _KINDS, says="else b2b where a company or VAT id is named"),
    Field("buyer.name", "buyer.name"),
    Field("buyer.company", "buyer.company"),
    Field("buyer.email", "buyer.email", says="the invoice goes there"),
    Field("buyer.phone", "buyer.phone", text(60)),
    Field("buyer.vat_id", "buyer.vat_id", text(40)),
    Field("buyer.language", "buyer.language", text(35), says="de, or another: served in English"),
    *_address_rows("billing_address", "billing"),
    *_address_rows("shipping_address", "shipping"),
    Each(
        "lines",
        "lines",
        (
            Field("name", "name", text(500), required=True),
            Field("sku", "sku", text(100)),
            Field("quantity", "quantity", _QUANTITY, required=True),
            Field("unit_price", "unit_price", _AMOUNT, required=True),
            Field("discount", "discount", _AMOUNT, default=_ZERO, says="of the whole line"),
            Field("discount_reason", "discount_reason"),
            Field("tax_rate", "tax_rate", _RATE, says="in percent; without it the order waits"),
            Field("tax_reason", "tax_reason", says="why a line at 0 percent bears no tax"),
            Field("total", "shop_total", _AMOUNT, says="the line total as you computed it"),
        ),
        least=1,
    ),
    Each(
        "charges",
        "charges",
        (
            Field("kind", "kind", _CHARGES, required=True),
            Field("name", "name", required=True),
            Field("amount", "amount", _AMOUNT, required=True),
            Field("discount", "discount", _AMOUNT, default=_ZERO),
            Field("tax_rate", "tax_rate", _RATE),
        ),
    ),
    Each(
        "discounts",
        "discounts",
        (
            Field("name", "name", required=True),
            Field("amount", "amount", _AMOUNT, required=True),
            Field("tax_rate", "tax_rate", _RATE, says="else split over the rates of the lines"),
        ),
    ),
    Field("total", "total", _AMOUNT, required=True, says="what the customer is charged"),
    Field("total_tax", "total_tax", _AMOUNT),
    Field("payment.status", "payment.status", _STATUSES, default=PaymentStatus.OPEN),
    Field("payment.method", "payment.method", text(100)),
    Field("payment.provider", "payment.provider", text(100)),
    Field("payment.transaction_id", "payment.transaction_id", text(200)),
    Field("payment.paid_amount", "payment.paid_amount", _AMOUNT, says="successful: else the total"),
    Field("payment.paid_on", "payment.paid_on", DAY),
    Field("payment.due_date", "payment.due_date", DAY, says="where one was agreed in the shop"),
    Field("note", "note", text(5000, lines=True), says="the buyer's words"),
    Field("deal_reference", "deal_reference", text(100), says="the buyer's order mark"),
    Field("supply_date", "supply_date", DAY),
    Field("cancelled", "cancelled", FLAG),
    Field("test", "test", FLAG),
    Field("risk_signals", "risk_signals", texts(), says="what the shop found suspicious"),
)


class OwnConnector:
    """Reads and checks our own documented order."""

    source = "zahltag"

    def verify(self, headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
        """Check the Standard Webhooks signature."""
        verify_standard(headers, body, secret, now)

    def event_id(self, headers: Mapping[str, str], document: JsonObject) -> str:
        """Return the ``webhook-id``, which the sender keeps over retries."""
        return header(headers, "webhook-id") or content_id(document)

    def read(
        self, document: JsonObject, *, channel: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> ShopEvent:
        """Read an order; every document of this source is one."""
        del headers
        record = read_document(document, MAPPING, "order", strict=True)
        return OrderEvent(finished(_order(record, channel)))


def _order(record: Record, channel: str) -> Order:
    return Order(
        source=OwnConnector.source,
        channel=channel,
        order_no=record.text("order_no"),
        external_id=record.text("external_id"),
        placed_at=record.moment("placed_at"),
        modified_at=record.moment("modified_at"),
        currency=record.text("currency"),
        price_mode=record.value("price_mode", PriceMode),
        buyer=_buyer(record),
        billing=address(record, "billing"),
        shipping=address(record, "shipping"),
        lines=tuple(_line(line) for line in record.rows("lines")),
        charges=tuple(_charge(charge) for charge in record.rows("charges")),
        discounts=tuple(_discount(discount) for discount in record.rows("discounts")),
        payment=_payment(record),
        total=record.amount("total"),
        total_tax=record.amount_or_none("total_tax"),
        note=record.text("note"),
        deal_reference=record.text("deal_reference"),
        supply_date=record.day_or_none("supply_date"),
        cancelled=record.flag("cancelled"),
        test=record.flag("test"),
        risk_signals=record.value("risk_signals", tuple),
    )


def _buyer(record: Record) -> Buyer:
    company = record.text("buyer.company") or record.text("billing.company")
    vat_id = record.text("buyer.vat_id")
    return Buyer(
        external_id=record.text("buyer.external_id"),
        kind=record.value_or("buyer.kind", kind_of(company, vat_id)),
        name=record.text("buyer.name"),
        company=company,
        email=record.text("buyer.email"),
        phone=record.text("buyer.phone"),
        vat_id=vat_id,
        language=language_of(record.text("buyer.language")),
    )


def _line(line: Record) -> OrderLine:
    return OrderLine(
        name=line.text("name"),
        sku=line.text("sku"),
        quantity=line.amount("quantity"),
        unit_price=line.amount("unit_price"),
        discount=line.amount("discount"),
        discount_reason=line.text("discount_reason"),
        tax_rate=line.amount_or_none("tax_rate"),
        tax_reason=line.text("tax_reason"),
        shop_total=line.amount_or_none("shop_total"),
    )


def _charge(charge: Record) -> OrderCharge:
    return OrderCharge(
        kind=charge.value("kind", ChargeKind),
        name=charge.text("name"),
        amount=charge.amount("amount"),
        discount=charge.amount("discount"),
        tax_rate=charge.amount_or_none("tax_rate"),
    )


def _discount(discount: Record) -> OrderDiscount:
    return OrderDiscount(
        name=discount.text("name"),
        amount=discount.amount("amount"),
        tax_rate=discount.amount_or_none("tax_rate"),
    )


def _payment(record: Record) -> OrderPayment:
    status = record.value("payment.status", PaymentStatus)
    received = record.amount("total") if status is PaymentStatus.SUCCESSFUL else _ZERO
    return OrderPayment(
        status=status,
        method=record.text("payment.method"),
        provider=record.text("payment.provider"),
        transaction_id=record.text("payment.transaction_id"),
        paid_amount=record.value_or("payment.paid_amount", received),
        paid_on=record.day_or_none("payment.paid_on"),
        due_date=record.day_or_none("payment.due_date"),
        vendor_status=status.value,
    )
