"""What is read from a deal of Pipedrive (API v2), gathered with its products and parties.

Fields: https://developers.pipedrive.com/docs/api/v1/Deals and .../DealProducts (both describe v2).
"""

from __future__ import annotations

from dataclasses import replace

from connectors.conversions import (
    AMOUNT,
    CURRENCY,
    DAY,
    DAYS,
    FLAG,
    MOMENT,
    POSITIVE,
    RATE,
    Conversion,
    identifier,
    one_of,
    text,
)
from connectors.crm.settings import READS, CrmSettings, defaults
from connectors.rows import Each, Field, Row

_METHODS = one_of({"inclusive": "inclusive", "exclusive": "exclusive", "none": "none"})
_KINDS = one_of({"percentage": "percentage", "amount": "amount"})


def _address(reads: str, fills: str) -> tuple[Field, ...]:
    return (
        Field(f"{reads}.route", f"~{fills}.route", says="the street"),
        Field(f"{reads}.street_number", f"~{fills}.number", text(20)),
        Field(f"{reads}.subpremise", f"{fills}.extra"),
        Field(f"{reads}.postal_code", f"{fills}.postcode", text(20)),
        Field(f"{reads}.locality", f"{fills}.city"),
        Field(f"{reads}.admin_area_level_1", f"{fills}.region"),
        Field(f"{reads}.country", f"{fills}.country", text(60), says="its name"),
    )


def mapping(settings: CrmSettings) -> tuple[Row, ...]:
    """Return the mapping with the custom fields (keys of 40 characters) that ``reads`` names."""
    return (
        Field("deal.id", "external_id", identifier(20), required=True),
        Field("deal.title", "~title", text(200)),
        Field("deal.status", "~status", text(20), required=True),
        Field(("deal.won_time", "deal.update_time"), "placed_at", MOMENT, required=True),
        Field("deal.update_time", "modified_at", MOMENT, required=True),
        Field(
            "deal.currency",
            "currency",
            CURRENCY,
            says="else the channel's default_currency, else refused",
        ),
        Field("deal.value", "~value", AMOUNT, says="compared with the sum of the products"),
        Field("deal.owner_id", "~owner", identifier(), says="see owners"),
        _custom(settings, "deal", "purchase_order", "deal_reference", text(100)),
        _custom(settings, "deal", "terms_days", "terms_days", DAYS),
        _custom(settings, "deal", "supply_date", "supply_date", DAY),
        Each(
            "products",
            "lines",
            (
                Field("product_id", "product", identifier()),
                Field("name", "name", text(500)),
                Field("quantity", "quantity", POSITIVE, required=True),
                Field("item_price", "unit_price", AMOUNT, required=True),
                Field("discount", "~discount", AMOUNT, says="of the whole line"),
                Field("discount_type", "~discount_type", _KINDS, default="percentage"),
                Field("tax", "~tax_rate", RATE, says="percent; see tax_method"),
                Field(
                    "tax_method",
                    "~tax_method",
                    _METHODS,
                    default="none",
                    says="inclusive: gross prices; none: the channel's default_tax_rate",
                ),
                Field("is_enabled", "~enabled", FLAG, default=True, says="no: left out"),
                Field(
                    "billing_frequency",
                    "~billed",
                    text(60),
                    says="anything but one-time is refused: we invoice once",
                ),
            ),
        ),
        Each(
            "product_details",
            "~details",
            (
                Field("id", "product", identifier(), required=True),
                Field("code", "sku", text(100)),
                Field("category", "category", identifier()),
            ),
            says="the products themselves: number and category",
        ),
        Each(
            "discounts",
            "discounts",
            (
                Field("description", "name", text(200), default="discount"),
                Field("amount", "~amount", AMOUNT, required=True),
                Field("type", "~type", _KINDS, required=True, says="percent of the lines' sum"),
            ),
            says="additional discounts of the deal",
        ),
        Field("organization.id", "~organization", identifier()),
        Field("organization.name", "company"),
        _custom(settings, "organization", "vat_id", "vat_id", text(40)),
        *_address("organization.address", "organization"),
        Field("person.id", "~person", identifier()),
        Field("person.name", "name"),
        Each("person.emails", "~emails", _labelled(), says="the primary one, else the first"),
        Each("person.phones", "~phones", _labelled(), says="the primary one, else the first"),
        *_address("person.postal_address", "person"),
    )


def _labelled() -> tuple[Field, ...]:
    return (Field("value", "value"), Field("primary", "primary", FLAG))


def _custom(
    settings: CrmSettings, where: str, name: str, fills: str, conversion: Conversion
) -> Field:
    key = settings.reads.get(name, "")
    path = f"{where}.custom_fields.{key}" if key else ()
    return Field(path, fills, conversion, says=f"a custom field, named by reads.{name}")


# For the documentation: the keys are each account's own.
MAPPING = mapping(replace(defaults("pipedrive"), reads={name: f"<{name}>" for name in READS}))
