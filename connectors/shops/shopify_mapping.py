"""What is read from a Shopify order (Admin REST and webhooks, API version 2025-10).

Money stands twice in every Shopify order: in the shop's currency, and under ``*_set`` also in the
currency that the customer saw and was charged (presentment). An invoice is due in the currency the
customer was charged, so where the two differ every amount is read from ``presentment_money``; a
plain field would silently be another currency. ``SHOP_MONEY`` and ``PRESENTMENT_MONEY`` are the
same table but for that.
"""

from __future__ import annotations

from decimal import Decimal

from connectors.conversions import (
    AMOUNT,
    COUNT,
    CURRENCY,
    FLAG,
    LOCAL_DAY,
    MOMENT,
    POSITIVE,
    SHARE,
    Conversion,
    identifier,
    text,
    texts,
)
from connectors.rows import Each, Field, Row

_ZERO = Decimal(0)
_VAT_ID_NAMES = ("vat_id", "VAT ID", "vat_number", "VAT number", "tax_id", "USt-IdNr.", "ust_id")


def _whole_or_nothing(value: object) -> bool:
    """Shopify sends an object where something is there, and null where it is not."""
    return isinstance(value, dict)


PRESENT = Conversion("an object or null", _whole_or_nothing, empty=False)


def _address(reads: str, fills: str) -> tuple[Field, ...]:
    return (
        Field(f"{reads}.name", f"{fills}.name"),
        Field(f"{reads}.company", f"{fills}.company"),
        Field(f"{reads}.address1", f"{fills}.street"),
        Field(f"{reads}.address2", f"{fills}.extra"),
        Field(f"{reads}.zip", f"{fills}.postcode", text(20)),
        Field(f"{reads}.city", f"{fills}.city"),
        Field(f"{reads}.province", f"{fills}.region"),
        Field((f"{reads}.country_code", f"{reads}.country"), f"{fills}.country", text(60)),
    )


def _rows(*, presentment: bool) -> tuple[Row, ...]:
    def money(name: str) -> str:
        return f"{name}_set.presentment_money.amount" if presentment else name

    def amounts(*names: str) -> tuple[str, ...]:
        return tuple(money(name) for name in names)

    discounts = Each(
        "discount_allocations",
        "~discounts",
        (
            Field(money("amount"), "amount", AMOUNT, required=True),
            Field("discount_application_index", "index", COUNT, says="names the reason"),
        ),
        says="order discounts come allocated to the lines: added up, never counted twice",
    )
    taxes = Each(
        "tax_lines",
        "~taxes",
        (Field("rate", "rate", SHARE, required=True, says="0.19 for 19 percent"),),
        says="added up; an empty list is 0 percent",
    )
    return (
        Field("id", "external_id", identifier(), required=True),
        Field(
            ("name", "order_number"), "order_no", identifier(64), required=True, says="without #"
        ),
        Field(("processed_at", "created_at"), "placed_at", MOMENT, required=True),
        Field(("updated_at", "processed_at", "created_at"), "modified_at", MOMENT, required=True),
        Field(("presentment_currency", "currency"), "currency", CURRENCY, required=True),
        Field("taxes_included", "~taxes_included", FLAG, says="true: price_mode gross, else net"),
        Field("customer.id", "buyer.external_id", identifier()),
        Field("customer.first_name", "~first_name", says="part of buyer.name"),
        Field("customer.last_name", "~last_name", says="part of buyer.name"),
        Field(("email", "contact_email", "customer.email"), "buyer.email"),
        Field(("phone", "customer.phone", "billing_address.phone"), "buyer.phone", text(60)),
        Field("customer_locale", "buyer.language", text(35), says="de, or another: English"),
        Field("company", "~b2b", PRESENT, says="an object: Shopify B2B, buyer.kind b2b"),
        Field(
            tuple(f"note_attributes[name={name}].value" for name in _VAT_ID_NAMES),
            "buyer.vat_id",
            identifier(40),
        ),
        *_address("billing_address", "billing"),
        *_address("shipping_address", "shipping"),
        Each("discount_applications", "~applications", (Field(("title", "code"), "name"),)),
        Each(
            "line_items",
            "lines",
            (
                Field(("name", "title"), "name", text(500), required=True),
                Field("sku", "sku", text(100)),
                Field("quantity", "~ordered", POSITIVE, required=True),
                Field(("current_quantity", "quantity"), "quantity", COUNT, says="after edits"),
                Field(money("price"), "unit_price", AMOUNT, required=True),
                Field("tip_payment_gateway", "~tip", says="present: the line is a tip"),
                discounts,
                taxes,
            ),
        ),
        Each(
            "shipping_lines",
            "charges",
            (
                Field(("title", "code"), "name", default="Shipping"),
                Field(money("price"), "amount", AMOUNT, required=True),
                Field("is_removed", "~removed", FLAG),
                discounts,
                taxes,
            ),
        ),
        Field("total_tip_received", "~tip", AMOUNT, default=_ZERO, says="a charge, shop currency"),
        Field(
            "current_total_duties_set.presentment_money.amount",
            "~duties",
            AMOUNT,
            default=_ZERO,
            says="a charge without a rate: accounting says which",
        ),
        Field(
            "current_total_additional_fees_set.presentment_money.amount",
            "~fees",
            AMOUNT,
            default=_ZERO,
            says="a charge without a rate: accounting says which",
        ),
        Field(amounts("current_total_price", "total_price"), "total", AMOUNT, required=True),
        Field(amounts("current_total_tax", "total_tax"), "total_tax", AMOUNT),
        Field("financial_status", "payment.vendor_status", text(60)),
        Field("payment_gateway_names", "payment.method", texts()),
        Field("payment_terms", "~terms", PRESENT, says="an object: paid later, on account"),
        Each(
            "payment_terms.payment_schedules",
            "~schedules",
            (Field("due_at", "due", LOCAL_DAY),),
            says="the last date is payment.due_date",
        ),
        Field("total_outstanding", "~outstanding", AMOUNT, says="shop currency"),
        Field("note", "note", text(5000, lines=True)),
        Field("po_number", "deal_reference", text(100)),
        Field("cancelled_at", "cancelled", MOMENT, says="set: cancelled"),
        Field("test", "test", FLAG),
    )


SHOP_MONEY = _rows(presentment=False)
PRESENTMENT_MONEY = _rows(presentment=True)
