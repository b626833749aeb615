"""What is read from a deal of HubSpot (CRM API v3), gathered with its line items and parties.

The properties that are read here are also those that are fetched: HubSpot returns only what is
asked for. Properties: https://developers.hubspot.com/docs/api-reference/crm-line-items-v3/guide and
https://knowledge.hubspot.com/properties/hubspots-default-line-item-properties. All values are text.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from connectors.conversions import (
    AMOUNT,
    CURRENCY,
    DAY,
    DAYS,
    MOMENT,
    POSITIVE,
    RATE,
    identifier,
    text,
)
from connectors.crm.settings import CrmSettings, defaults
from connectors.rows import Each, Field, Row

_P = "properties"


def _party_address() -> tuple[Field, ...]:
    return (
        Field(f"{_P}.address", "street"),
        Field(f"{_P}.address2", "extra"),
        Field(f"{_P}.zip", "postcode", text(20)),
        Field(f"{_P}.city", "city"),
        Field(f"{_P}.state", "region"),
        Field((f"{_P}.hs_country_code", f"{_P}.country"), "country", text(60)),
    )


_LINE_ITEM = (
    Field("id", "external_id", identifier()),
    Field(f"{_P}.name", "name", text(500)),
    Field(f"{_P}.hs_sku", "sku", text(100)),
    Field(f"{_P}.hs_product_type", "category", text(100)),
    Field(f"{_P}.quantity", "quantity", POSITIVE, default=Decimal(1)),
    Field(f"{_P}.price", "unit_price", AMOUNT, required=True, says="of one, without tax"),
    Field(f"{_P}.hs_total_discount", "~total_discount", AMOUNT, says="of the whole line"),
    Field(
        f"{_P}.hs_discount_percentage",
        "~percent",
        RATE,
        says="of the line, rounded to the cent, where hs_total_discount is silent",
    ),
    Field(f"{_P}.discount", "~unit_discount", AMOUNT, says="of one, where both are silent"),
    Field(
        f"{_P}.hs_tax_rate_group_id",
        "~tax_key",
        identifier(),
        says="its rate stands in the channel's tax_rates, else in the gathered tax_rates",
    ),
    Field(f"{_P}.hs_tax_rate", "~tax_rate", RATE, says="where the key has no rate"),
    Field(
        f"{_P}.recurringbillingfrequency",
        "~billed",
        text(60),
        says="refused if it says anything: we invoice once",
    ),
)


def mapping(settings: CrmSettings) -> tuple[Row, ...]:
    """Return the mapping with the custom fields that the channel's ``reads`` names."""
    return (
        Field("deal.id", "external_id", identifier(20), required=True),
        Field(f"deal.{_P}.dealname", "~dealname", text(200)),
        Field(f"deal.{_P}.dealstage", "~stage", text(100)),
        Field(f"deal.{_P}.hs_is_closed_won", "~won", text(10)),
        Field((f"deal.{_P}.closedate", "deal.updatedAt"), "placed_at", MOMENT, required=True),
        Field(
            (f"deal.{_P}.hs_lastmodifieddate", "deal.updatedAt"),
            "modified_at",
            MOMENT,
            required=True,
        ),
        Field(
            f"deal.{_P}.deal_currency_code",
            "currency",
            CURRENCY,
            says="else the channel's default_currency, else refused",
        ),
        Field(f"deal.{_P}.amount", "net_total", AMOUNT, says="without tax; else the lines' sum"),
        Field(f"deal.{_P}.hubspot_owner_id", "~owner", identifier(), says="see owners"),
        *_custom(settings),
        Each("line_items", "lines", _LINE_ITEM),
        Each(
            "companies",
            "~companies",
            (
                Field("id", "external_id", identifier()),
                Field(f"{_P}.name", "name"),
                Field(f"{_P}.phone", "phone", text(60)),
                *_vat_id(settings),
                *_party_address(),
            ),
            says="the first one is the buyer",
        ),
        Each(
            "contacts",
            "~contacts",
            (
                Field("id", "external_id", identifier()),
                Field(f"{_P}.firstname", "first"),
                Field(f"{_P}.lastname", "last"),
                Field(f"{_P}.company", "company"),
                Field(f"{_P}.email", "email"),
                Field(f"{_P}.phone", "phone", text(60)),
                Field(f"{_P}.hs_language", "language", text(35)),
                *_party_address(),
            ),
            says="the first one with an e-mail address gets the invoice",
        ),
        Each(
            "tax_rates",
            "~tax_rates",
            (
                Field("id", "key", identifier(), required=True),
                Field("percentageRate", "rate", RATE, required=True),
            ),
            says="of the account's tax library, those that the lines use",
        ),
    )


def _custom(settings: CrmSettings) -> Iterator[Field]:
    reads = settings.reads
    wanted = (
        ("purchase_order", "deal_reference", text(100)),
        ("terms_days", "terms_days", DAYS),
        ("supply_date", "supply_date", DAY),
    )
    for name, fills, conversion in wanted:
        path = reads.get(name, "")
        yield Field(
            f"deal.{_P}.{path}" if path else (),
            fills,
            conversion,
            says=f"a custom field, named by reads.{name}",
        )


def _vat_id(settings: CrmSettings) -> tuple[Field, ...]:
    path = settings.reads.get("vat_id", "")
    read = f"{_P}.{path}" if path else ()
    return (Field(read, "vat_id", text(40), says="a custom field, named by reads.vat_id"),)


def properties(settings: CrmSettings, where: str) -> list[str]:
    """Return the properties that the mapping reads of ``deal``, ``line_items`` and so on."""
    found: list[str] = []
    for row in mapping(settings):
        inner = row.rows if isinstance(row, Each) and row.reads == where else ()
        paths = [path for one in inner if isinstance(one, Field) for path in one.paths]
        if isinstance(row, Field):
            paths = [p.removeprefix("deal.") for p in row.paths if where == "deal"]
        found += [p.removeprefix(f"{_P}.") for p in paths if p.startswith(f"{_P}.")]
    return list(dict.fromkeys(found))


MAPPING = mapping(defaults("hubspot"))
