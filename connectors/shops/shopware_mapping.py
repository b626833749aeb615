"""What is read from a Shopware 6 order (Admin API with ``Accept: application/json``).

The associations it needs: currency, language.locale, orderCustomer, billingAddress (or addresses)
with country, lineItems, deliveries.shippingOrderAddress.country, transactions.paymentMethod,
transactions.stateMachineState, stateMachineState.
"""

from __future__ import annotations

from connectors.conversions import (
    AMOUNT,
    CURRENCY,
    MOMENT,
    POSITIVE,
    RATE,
    SIGNED_AMOUNT,
    identifier,
    one_of,
    text,
    texts,
)
from connectors.rows import Each, Field, Row

_TAX_STATES = one_of({"gross": "gross", "net": "net", "tax-free": "tax-free"})


def _address(reads: str, fills: str) -> tuple[Field, ...]:
    return (
        Field(f"{reads}.firstName", f"~{fills}_first", says=f"part of {fills}.name"),
        Field(f"{reads}.lastName", f"~{fills}_last", says=f"part of {fills}.name"),
        Field(f"{reads}.company", f"{fills}.company"),
        Field(f"{reads}.street", f"{fills}.street"),
        Field(
            (f"{reads}.additionalAddressLine1", f"{reads}.department"),
            f"{fills}.extra",
        ),
        Field(f"{reads}.zipcode", f"{fills}.postcode", text(20)),
        Field(f"{reads}.city", f"{fills}.city"),
        Field(f"{reads}.countryState.name", f"{fills}.region"),
        Field(
            (f"{reads}.country.iso", f"{reads}.country.iso3", f"{reads}.country.name"),
            f"{fills}.country",
            text(60),
        ),
    )


def _taxes(reads: str) -> Each:
    return Each(
        reads,
        "~taxes",
        (
            Field("taxRate", "rate", RATE, required=True),
            Field("price", "price", SIGNED_AMOUNT, required=True, says="this rate's share"),
            Field("tax", "tax", SIGNED_AMOUNT, required=True),
        ),
    )


MAPPING: tuple[Row, ...] = (
    Field("id", "external_id", identifier(), required=True),
    Field("orderNumber", "order_no", identifier(64), required=True),
    Field(("orderDateTime", "createdAt"), "placed_at", MOMENT, required=True),
    Field(("updatedAt", "createdAt", "orderDateTime"), "modified_at", MOMENT, required=True),
    Field("currency.isoCode", "currency", CURRENCY, required=True),
    Field(
        ("price.taxStatus", "taxStatus"),
        "~tax_status",
        _TAX_STATES,
        required=True,
        says="price_mode; tax-free: net at 0 percent",
    ),
    Field("orderCustomer.customerNumber", "~customer_no", identifier(), says="buyer.external_id"),
    Field("orderCustomer.customerId", "~customer_id", identifier(), says="where it has no number"),
    Field("orderCustomer.firstName", "~first_name", says="part of buyer.name"),
    Field("orderCustomer.lastName", "~last_name", says="part of buyer.name"),
    Field("orderCustomer.company", "buyer.company"),
    Field("orderCustomer.email", "buyer.email"),
    Field("orderCustomer.vatIds", "buyer.vat_id", texts(), says="the first"),
    Field("billingAddress.vatId", "~vat_id", text(40), says="where orderCustomer has none"),
    Field("billingAddress.phoneNumber", "buyer.phone", text(60)),
    Field(
        ("language.locale.code", "language.translationCode.code"),
        "buyer.language",
        text(35),
    ),
    *_address("billingAddress", "billing"),
    Each(
        "lineItems",
        "lines",
        (
            Field("id", "~id", identifier()),
            Field("parentId", "~parent", identifier(), says="a part of another line: left out"),
            Field("type", "~type", text(60), default="product", says="promotion, credit, discount"),
            Field("label", "name", text(500), required=True),
            Field("payload.productNumber", "sku", text(100)),
            Field("quantity", "quantity", POSITIVE, required=True),
            Field(("unitPrice", "price.unitPrice"), "unit_price", SIGNED_AMOUNT, required=True),
            Field(("totalPrice", "price.totalPrice"), "~total", SIGNED_AMOUNT, required=True),
            _taxes("price.calculatedTaxes"),
        ),
        says="negative: a promotion or credit, an order discount per rate; else refused",
    ),
    Each(
        "deliveries",
        "charges",
        (
            Field("shippingMethod.name", "name", default="Versand"),
            Field("shippingCosts.totalPrice", "amount", SIGNED_AMOUNT, required=True),
            _taxes("shippingCosts.calculatedTaxes"),
            *_address("shippingOrderAddress", "shipping"),
        ),
        says="shipping, one charge per rate; negative: a shipping promotion. First: the address",
    ),
    Field(("price.totalPrice", "amountTotal"), "total", AMOUNT, required=True),
    _taxes("price.calculatedTaxes"),
    Each(
        "transactions",
        "~transactions",
        (
            Field("createdAt", "created", MOMENT),
            Field("stateMachineState.technicalName", "state", text(60)),
            Field("amount.totalPrice", "amount", AMOUNT),
            Field(
                (
                    "customFields.swag_paypal_resource_id",
                    "customFields.swag_paypal_order_id",
                    "customFields.mollie_payments.payment_id",
                    "customFields.mollie_payments.order_id",
                    "customFields.unzer_payment_transaction_id",
                ),
                "transaction_id",
                identifier(200),
            ),
            Field(
                ("paymentMethod.technicalName", "paymentMethod.shortName"), "provider", text(100)
            ),
            Field(("paymentMethod.translated.name", "paymentMethod.name"), "method", text(200)),
        ),
        says="the last one that was not cancelled is the payment",
    ),
    Field("customerComment", "note", text(5000, lines=True)),
    Field("stateMachineState.technicalName", "~state", text(60), says="cancelled"),
)
