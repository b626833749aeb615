"""What is read from a WooCommerce order (REST API v3; its webhooks send the same document).

WooCommerce gives the amounts of every line without tax and the tax beside them, whatever
``prices_include_tax`` says. Where prices include tax the two are added up again, because that sum
is the price that the customer saw.
"""

from __future__ import annotations

from connectors.conversions import (
    AMOUNT,
    CURRENCY,
    FLAG,
    LOCAL_DAY,
    POSITIVE,
    RATE,
    SIGNED_AMOUNT,
    UTC_MOMENT,
    Conversion,
    identifier,
    plain_text,
    text,
)
from connectors.rows import Each, Field, Row

# The keys under which the common plugins for VAT ids keep them (EU VAT Number, German Market,
# Germanized, WooCommerce EU VAT Assistant).
VAT_ID_KEYS = (
    "_billing_vat_number",
    "_billing_vat_id",
    "_billing_vat",
    "billing_vat",
    "_billing_eu_vat_number",
    "_vat_number",
    "vat_number",
    "_vat_id",
)


def _address(where: str) -> tuple[Field, ...]:
    return (
        Field(f"{where}.first_name", f"~{where}_first", says=f"part of {where}.name"),
        Field(f"{where}.last_name", f"~{where}_last", says=f"part of {where}.name"),
        Field(f"{where}.company", f"{where}.company", plain_text()),
        Field(f"{where}.address_1", f"{where}.street", plain_text()),
        Field(f"{where}.address_2", f"{where}.extra", plain_text()),
        Field(f"{where}.postcode", f"{where}.postcode", text(20)),
        Field(f"{where}.city", f"{where}.city"),
        Field(f"{where}.state", f"{where}.region"),
        Field(f"{where}.country", f"{where}.country", text(60)),
    )


def _taxes() -> Each:
    return Each(
        "taxes",
        "~taxes",
        (
            Field("id", "rate_id", identifier(), required=True),
            Field("total", "total", SIGNED_AMOUNT, says="blank: this rate does not apply"),
        ),
        says="their rates stand in tax_lines; none at all is 0 percent",
    )


def _line(fills: str, reads: str, name: str, amount: Conversion, says: str = "") -> Each:
    return Each(
        reads,
        fills,
        (
            Field(name, "name", plain_text(), default=fills),
            Field("total", "amount", amount, required=True, says="without tax"),
            Field("total_tax", "~tax", amount, says="added where prices include tax"),
            _taxes(),
        ),
        says=says,
    )


MAPPING: tuple[Row, ...] = (
    Field("id", "external_id", identifier(), required=True),
    Field(("number", "id"), "order_no", identifier(64), required=True),
    Field("date_created_gmt", "placed_at", UTC_MOMENT, required=True),
    Field(("date_modified_gmt", "date_created_gmt"), "modified_at", UTC_MOMENT, required=True),
    Field("status", "payment.vendor_status", text(60), required=True),
    Field("currency", "currency", CURRENCY, required=True),
    Field("prices_include_tax", "~prices_include_tax", FLAG, says="true: gross, else net"),
    Field("customer_id", "buyer.external_id", identifier(), says="0 is a guest"),
    Field("billing.email", "buyer.email"),
    Field("billing.phone", "buyer.phone", text(60)),
    Field(
        (*(f"meta_data[key={key}].value" for key in VAT_ID_KEYS), "billing.vat_number"),
        "buyer.vat_id",
        identifier(40),
    ),
    Field("meta_data[key=wpml_language].value", "buyer.language", text(35)),
    *_address("billing"),
    *_address("shipping"),
    Each(
        "line_items",
        "lines",
        (
            Field("name", "name", plain_text(), required=True),
            Field("sku", "sku", text(100)),
            Field("quantity", "quantity", POSITIVE, required=True),
            Field("subtotal", "~subtotal", AMOUNT, required=True, says="before coupons, no tax"),
            Field("subtotal_tax", "~subtotal_tax", AMOUNT),
            Field("total", "~total", AMOUNT, required=True, says="after coupons: discount"),
            Field("total_tax", "~tax", AMOUNT),
            _taxes(),
        ),
    ),
    _line("charges", "shipping_lines", "method_title", AMOUNT, "shipping"),
    _line("~fees", "fee_lines", "name", SIGNED_AMOUNT, "a charge; negative: an order discount"),
    Each("coupon_lines", "~coupons", (Field("code", "code", plain_text()),), says="reason only"),
    Each(
        "tax_lines",
        "~rates",
        (
            Field("rate_id", "rate_id", identifier(), required=True),
            Field("rate_percent", "percent", RATE, says="without it the order waits for a rate"),
        ),
    ),
    Field("total", "total", AMOUNT, required=True),
    Field("total_tax", "total_tax", AMOUNT),
    Field("payment_method", "payment.provider", text(100)),
    Field("payment_method_title", "payment.method", plain_text(200)),
    Field("transaction_id", "payment.transaction_id", identifier(200)),
    Field("date_paid", "payment.paid_on", LOCAL_DAY, says="in the shop's time zone"),
    Field("customer_note", "note", text(5000, lines=True)),
)
