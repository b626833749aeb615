"""A won deal of HubSpot as an order. Its amounts are net: HubSpot adds taxes on quotes only."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from connectors.crm.hubspot_mapping import mapping
from connectors.crm.port import JsonObject
from connectors.crm.settings import CrmSettings
from connectors.mapping import read_document
from connectors.rows import Record
from connectors.shops.common import kind_of, language_of
from connectors.shops.deals import (
    ON_ACCOUNT,
    ZERO,
    completed,
    currency_of,
    net_sum,
    party,
    percent_of,
    reference,
    refuse_recurring,
)
from connectors.shops.port import Ignored
from domain.order import Address, Buyer, Order, OrderLine, PriceMode


def read_deal(document: JsonObject, settings: CrmSettings, channel: str) -> Order | Ignored:
    """Read a gathered deal; one that is not won is ignored with its reason."""
    record = read_document(document, mapping(settings), "HubSpot deal")
    number, stage = record.text("external_id"), record.text("~stage")
    if not _is_won(record, settings):
        return Ignored(f"The deal {number} is in the stage {stage or '(none)'}, it is not won.")
    currency = currency_of(record, settings, "deal.properties.deal_currency_code")
    refuse_recurring(record.rows("lines"), "line_items", ("",))
    lines = _lines(record, settings, currency)
    told = record.amount_or_none("net_total")
    buyer, address = _buyer(record, settings)
    return completed(
        Order(
            source="crm",
            channel=channel,
            order_no=number,
            external_id=number,
            placed_at=record.moment("placed_at"),
            modified_at=record.moment("modified_at"),
            currency=currency,
            price_mode=PriceMode.NET,
            buyer=buyer,
            billing=address,
            shipping=Address(),
            lines=lines,
            payment=ON_ACCOUNT,
            total=ZERO,
            net_total=net_sum(lines, currency) if told is None else told,
            deal=reference(number, record.text("~dealname")),
            deal_reference=record.text("deal_reference"),
            terms_days=_days(record),
            supply_date=record.day_or_none("supply_date"),
            owner=settings.owners.get(record.text("~owner"), ""),
        )
    )


def _is_won(record: Record, settings: CrmSettings) -> bool:
    if settings.won_stages:
        return record.text("~stage") in settings.won_stages
    return record.text("~won") == "true" or (
        not record.text("~won") and record.text("~stage") == "closedwon"
    )


def _days(record: Record) -> int | None:
    days = record.value_or("terms_days", -1)
    return None if days < 0 else days


def _lines(record: Record, settings: CrmSettings, currency: str) -> tuple[OrderLine, ...]:
    gathered = {row.text("key"): row.amount("rate") for row in record.rows("~tax_rates")}
    rates = {**gathered, **settings.tax_rates}
    return tuple(_line(line, rates, settings, currency) for line in record.rows("lines"))


def _line(
    line: Record, rates: dict[str, Decimal], settings: CrmSettings, currency: str
) -> OrderLine:
    quantity, price = line.amount("quantity"), line.amount("unit_price")
    key, told = line.text("~tax_key"), line.amount_or_none("~tax_rate")
    rate = rates.get(key) if key else None
    if rate is None:
        rate = told
    if rate is None and not key:
        # A key that nobody explained is a question, not a gap: the default would be a guess.
        rate = settings.default_tax_rate
    return OrderLine(
        name=line.text("name"),
        sku=line.text("sku"),
        category=line.text("category"),
        quantity=quantity,
        unit_price=price,
        discount=_discount(line, quantity, price, currency),
        tax_rate=rate,
    )


def _discount(line: Record, quantity: Decimal, price: Decimal, currency: str) -> Decimal:
    total, percent = line.amount_or_none("~total_discount"), line.amount_or_none("~percent")
    unit = line.amount_or_none("~unit_discount")
    if total:
        return total
    if percent:
        return percent_of(quantity * price, percent, currency)
    return (unit or ZERO) * quantity


def _buyer(record: Record, settings: CrmSettings) -> tuple[Buyer, Address]:
    """Return who bought and where the invoice goes: the company, else the contact."""
    companies, contacts = record.rows("~companies"), record.rows("~contacts")
    company = companies[0] if companies else None
    reachable = [contact for contact in contacts if contact.text("email")]
    contact = next(iter(reachable or contacts), None)
    name = f"{contact.text('first')} {contact.text('last')}".strip() if contact else ""
    firm = company.text("name") if company else (contact.text("company") if contact else "")
    vat_id = company.text("vat_id") if company else ""
    of = company or contact
    address = party(of, name, firm, settings) if of else Address()
    buyer = Buyer(kind=kind_of(firm, vat_id), name=name, company=firm, vat_id=vat_id)
    if company and company.text("external_id"):
        buyer = replace(buyer, external_id=f"company-{company.text('external_id')}")
    elif contact and contact.text("external_id"):
        buyer = replace(buyer, external_id=f"contact-{contact.text('external_id')}")
    if contact:
        buyer = replace(
            buyer,
            email=contact.text("email"),
            phone=contact.text("phone"),
            language=language_of(contact.text("language")),
        )
    if company and not buyer.phone:
        buyer = replace(buyer, phone=company.text("phone"))
    return buyer, address
