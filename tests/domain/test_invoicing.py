"""The invoice as a value: every field par. 14 (4) UStG wants, from an order and a company."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.company import PaymentTerms, SupplyDatePolicy
from domain.invoice import DocumentType, Invoice, TaxCategory
from domain.invoicing import build_cancellation, build_invoice, document_language, supply_date
from domain.order import Address, Buyer, CustomerKind, Order, PriceMode
from tests.domain.orders import BONN, COMPANY, line, order

VIENNA = replace(BONN, postcode="1010", city="Wien", country="AT")


def invoice(order_: Order | None = None, **changes: Any) -> Invoice:
    """Return the invoice of an order, on 2026-11-22."""
    arguments = {
        "customer_no": "K-1",
        "number": "RE-2026-00001",
        "issue_date": date(2026, 11, 22),
        "due_date": date(2026, 12, 6),
        "terms": PaymentTerms(14),
    }
    return build_invoice(order_ or order(), COMPANY, **(arguments | changes))


def test_every_mandatory_field_is_filled() -> None:
    """R20: who, whom, tax id, number, dates, what, net per rate, tax."""
    made = invoice()

    assert (made.number, made.type, made.issue_date) == (
        "RE-2026-00001",
        DocumentType.INVOICE,
        date(2026, 11, 22),
    )
    assert (made.seller.name, made.seller.vat_id) == (COMPANY.name, COMPANY.vat_id)
    assert (made.buyer.name, made.buyer.address, made.buyer.customer_no) == (
        "Katharina Brandt",
        BONN,
        "K-1",
    )
    assert made.supply_date == date(2026, 11, 16)
    assert [(each.name, each.quantity) for each in made.lines] == [("Beratung", 1)]
    assert [(tax.rate, tax.taxable, tax.tax) for tax in made.taxes] == [(19, 100, 19)]
    assert (made.order_reference, made.remittance) == ("ZT-1", "RE-2026-00001 ZT-1")
    assert (made.totals.payable, made.due_date, made.terms_days) == (119, date(2026, 12, 6), 14)


@pytest.mark.parametrize(
    ("language", "country", "expected"),
    [
        ("de", "US", "de"),
        ("de-CH", "CH", "de"),
        ("EN", "DE", "en"),
        ("fr", "FR", "en"),
        ("", "AT", "de"),
        ("", "LI", "de"),
        ("", "FR", "en"),
        ("", "", "en"),
    ],
)
def test_the_language_is_the_buyers_else_that_of_the_country(
    language: str, country: str, expected: str
) -> None:
    """E8; languages we do not speak are served in English."""
    found = order(buyer=Buyer(language=language), billing=replace(BONN, country=country))

    assert document_language(found) == expected


def test_the_supply_date_is_the_shops_else_the_payments_else_the_companys() -> None:
    """Par. 14 (4) no. 6 UStG; the month suffices (par. 31 (4) UStDV)."""
    issued, paid = date(2026, 11, 22), date(2026, 11, 18)
    monthly = replace(COMPANY, supply_date_policy=SupplyDatePolicy.INVOICE_MONTH)
    supplied = order(supply_date=date(2026, 11, 20))

    assert supply_date(supplied, monthly, issued, paid) == (date(2026, 11, 20), False)
    assert supply_date(order(), monthly, issued, paid) == (paid, False)
    assert supply_date(order(), monthly, issued, None) == (issued, True)
    assert supply_date(order(), COMPANY, issued, None) == (date(2026, 11, 16), False)


def test_dates_are_those_of_the_companys_clock() -> None:
    """23:30 UTC on the 16th is the 17th in Berlin."""
    late = order(placed_at=datetime(2026, 11, 16, 23, 30, tzinfo=UTC))

    assert invoice(late).order_date == date(2026, 11, 17)


def test_what_was_paid_before_is_deducted_and_never_more_than_the_total() -> None:
    """An overpayment is the customer's money; the document does not go below zero."""
    part = invoice(prepaid=Decimal("20.00"))
    paid = invoice(prepaid=Decimal("500.00"), paid_on=date(2026, 11, 18))

    assert (part.totals.prepaid, part.totals.payable) == (20, 99)
    assert (paid.totals.prepaid, paid.totals.payable) == (119, 0)
    assert paid.paid_on == date(2026, 11, 18)


def test_only_a_consumer_who_owes_a_german_seller_is_told_of_default() -> None:
    """Par. 286 (3) BGB."""
    business = order(buyer=Buyer(kind=CustomerKind.B2B, company="Brandt KG"))
    austrian = replace(COMPANY, address=replace(COMPANY.address, country="AT"))
    terms = {"number": "1", "issue_date": date(2026, 11, 22), "due_date": date(2026, 11, 22)}

    assert invoice().consumer_default_notice
    assert not invoice(business).consumer_default_notice
    assert not invoice(prepaid=Decimal(119)).consumer_default_notice
    abroad = build_invoice(order(), austrian, customer_no="", terms=PaymentTerms(0), **terms)
    assert not abroad.consumer_default_notice


def test_the_place_of_delivery_is_named_only_where_it_is_another() -> None:
    """An empty delivery address is no place."""
    elsewhere = replace(BONN, street="Lagerweg 3")

    assert invoice().ship_to is None
    assert invoice(order(shipping=BONN)).ship_to is None
    assert invoice(order(shipping=Address(name="only a name"))).ship_to is None
    assert invoice(order(shipping=elsewhere)).ship_to == elsewhere


def test_the_company_is_named_before_the_person() -> None:
    """BT-44 is the legal person; the contact stays in the address."""
    firm = order(billing=replace(BONN, company="Brandt KG"))

    assert invoice(firm).buyer.name == "Brandt KG"
    assert invoice(order(billing=replace(BONN, name=""))).buyer.name == "Katharina Brandt"


def test_an_intra_community_supply_bears_its_category() -> None:
    """Both VAT ids and category K (R21): the reason comes from the place of supply."""
    found = order(
        price_mode=PriceMode.NET,
        buyer=Buyer(kind=CustomerKind.B2B, company="Wiener GmbH", vat_id="ATU13585627"),
        billing=VIENNA,
        lines=(line(tax_rate=Decimal(0)),),
        total=Decimal(100),
    )
    made = invoice(found)

    assert [tax.category for tax in made.taxes] == [TaxCategory.INTRA_COMMUNITY]
    assert (made.seller.vat_id, made.buyer.vat_id) == (COMPANY.vat_id, "ATU13585627")


def test_a_cancellation_takes_every_figure_back() -> None:
    """384 with negative quantities; unit prices stay positive (BR-27), payments stay off."""
    original = invoice(prepaid=Decimal(20))
    cancelled = build_cancellation(original, "RE-2026-00002", date(2026, 12, 1))

    assert cancelled.type is DocumentType.CANCELLATION
    assert cancelled.preceding_invoice == original.number
    assert [each.quantity for each in cancelled.lines] == [-1]
    assert all(each.unit_net_price > 0 for each in cancelled.lines)
    for name in ("lines", "allowances", "charges", "net", "tax", "gross", "rounding"):
        assert getattr(cancelled.totals, name) == -getattr(original.totals, name)
    assert (cancelled.totals.prepaid, cancelled.totals.payable) == (0, -119)
    assert sum(tax.tax for tax in (*original.taxes, *cancelled.taxes)) == 0
