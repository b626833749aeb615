"""A won deal of Pipedrive as an order: gross where its products' prices include the tax."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from connectors.crm.pipedrive_mapping import mapping
from connectors.crm.port import JsonObject
from connectors.crm.settings import CrmSettings
from connectors.mapping import read_document
from connectors.rows import Record
from connectors.shops.common import kind_of, refused
from connectors.shops.deals import (
    ON_ACCOUNT,
    ZERO,
    completed,
    currency_of,
    net_sum,
    percent_of,
    reference,
    refuse_recurring,
)
from connectors.shops.port import Ignored
from domain.errors import Problem
from domain.order import Address, Buyer, Order, OrderDiscount, OrderLine, PriceMode


def read_deal(document: JsonObject, settings: CrmSettings, channel: str) -> Order | Ignored:
    """Read a gathered deal; one that is not won is ignored with its reason."""
    record = read_document(document, mapping(settings), "Pipedrive deal")
    number, status = record.text("external_id"), record.text("~status")
    if status != "won":
        return Ignored(f"The deal {number} has the status {status}, it is not won.")
    currency = currency_of(record, settings, "deal.currency")
    sold = tuple(line for line in record.rows("lines") if line.flag("~enabled"))
    refuse_recurring(sold, "products", ("", "one-time"))
    gross = _is_gross(sold)
    lines = _lines(sold, record.rows("~details"), settings, currency)
    discounts = _discounts(record, net_sum(lines, currency), currency)
    told = record.amount_or_none("~value")
    summed = net_sum(lines, currency) - sum((d.amount for d in discounts), ZERO)
    order = Order(
        source="crm",
        channel=channel,
        order_no=number,
        external_id=number,
        placed_at=record.moment("placed_at"),
        modified_at=record.moment("modified_at"),
        currency=currency,
        price_mode=PriceMode.GROSS if gross else PriceMode.NET,
        buyer=_buyer(record),
        billing=_address(record, settings),
        shipping=Address(),
        lines=lines,
        discounts=discounts,
        payment=ON_ACCOUNT,
        total=summed if told is None else told,
        net_total=None if gross else summed,
        deal=reference(number, record.text("~title")),
        deal_reference=record.text("deal_reference"),
        terms_days=_days(record),
        supply_date=record.day_or_none("supply_date"),
        owner=settings.owners.get(record.text("~owner"), ""),
    )
    return _compared(completed(order), told)


def _compared(order: Order, told: Decimal | None) -> Order:
    """Hold the deal's value against ours: accounts show it with the tax or without it.

    A value that is neither is kept as the net total, and the check of the order names both.
    """
    if order.net_total is None or told is None or told in {order.net_total, order.total}:
        return order
    return replace(order, net_total=told)


def _is_gross(lines: tuple[Record, ...]) -> bool:
    methods = {line.text("~tax_method") for line in lines}
    if "inclusive" in methods and len(methods) > 1:
        expected = "one tax method for all products of the deal"
        raise refused("deal", Problem("products", expected, ", ".join(sorted(methods))))
    return "inclusive" in methods


def _days(record: Record) -> int | None:
    days = record.value_or("terms_days", -1)
    return None if days < 0 else days


def _lines(
    sold: tuple[Record, ...], details: tuple[Record, ...], settings: CrmSettings, currency: str
) -> tuple[OrderLine, ...]:
    known = {detail.text("product"): detail for detail in details}
    return tuple(_line(line, known.get(line.text("product")), settings, currency) for line in sold)


def _line(line: Record, detail: Record | None, settings: CrmSettings, currency: str) -> OrderLine:
    quantity, price = line.amount("quantity"), line.amount("unit_price")
    discount = line.amount_or_none("~discount") or ZERO
    if line.text("~discount_type") == "percentage":
        discount = percent_of(quantity * price, discount, currency)
    taxed = line.text("~tax_method") != "none"
    return OrderLine(
        name=line.text("name"),
        sku=detail.text("sku") if detail else "",
        category=detail.text("category") if detail else "",
        quantity=quantity,
        unit_price=price,
        discount=discount,
        tax_rate=line.amount_or_none("~tax_rate") if taxed else settings.default_tax_rate,
    )


def _discounts(record: Record, base: Decimal, currency: str) -> tuple[OrderDiscount, ...]:
    return tuple(
        OrderDiscount(
            name=row.text("name"),
            amount=percent_of(base, row.amount("~amount"), currency)
            if row.text("~type") == "percentage"
            else row.amount("~amount"),
        )
        for row in record.rows("discounts")
    )


def _buyer(record: Record) -> Buyer:
    company, vat_id = record.text("company"), record.text("vat_id")
    organization, person = record.text("~organization"), record.text("~person")
    known = f"organization-{organization}" if organization else f"person-{person}"
    return Buyer(
        external_id=known if organization or person else "",
        kind=kind_of(company, vat_id),
        name=record.text("name"),
        company=company,
        email=_primary(record.rows("~emails")),
        phone=_primary(record.rows("~phones")),
        vat_id=vat_id,
    )


def _primary(rows: tuple[Record, ...]) -> str:
    named = [row for row in rows if row.text("value")]
    first = [row for row in named if row.flag("primary")] or named
    return first[0].text("value") if first else ""


def _address(record: Record, settings: CrmSettings) -> Address:
    """Return the organization's address; a person's where there is no organization."""
    of = "organization" if record.text("company") else "person"
    route, number = record.text(f"~{of}.route"), record.text(f"~{of}.number")
    parts = {part: record.text(f"{of}.{part}") for part in ("extra", "postcode", "city", "region")}
    street, country = f"{route} {number}".strip(), record.text(f"{of}.country")
    if not country and (street or any(parts.values())):
        country = settings.default_country
    return Address(
        name=record.text("name"),
        company=record.text("company"),
        street=street,
        country=country,
        **parts,
    )
