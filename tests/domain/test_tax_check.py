"""Whether a tax can be right there and then: the rate, the place, the reason for none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from domain.order import Buyer, ChargeKind, CustomerKind, OrderCharge, OrderDiscount
from domain.tax_check import zero_rate_reason
from domain.validation import order_problems
from tests.domain.orders import BONN, COMPANY, line, order


def fields(**changes: object) -> list[str]:
    """Return the fields with problems of a sound order with these changes."""
    return [problem.field for problem in order_problems(order(**changes), COMPANY)]


def at(country: str, postcode: str = "1010", **changes: object) -> list[str]:
    """Return the fields with problems of an order that goes to this country."""
    return fields(billing=replace(BONN, country=country, postcode=postcode), **changes)


def test_a_rate_must_exist_at_the_day_of_supply() -> None:
    """16 percent was right in autumn 2020 and never since."""
    lines = (line(tax_rate=Decimal(16)),)
    then = datetime(2020, 7, 1, tzinfo=UTC)

    assert fields(lines=lines) == ["lines.1.tax_rate"]
    assert fields(lines=lines, placed_at=then) == []
    assert fields(lines=lines, supply_date=date(2020, 12, 31)) == []


def test_the_day_is_counted_in_the_company_s_time_zone() -> None:
    """23:30 UTC on 2020-06-30 is July in Berlin."""
    late = datetime(2020, 6, 30, 23, 30, tzinfo=UTC)

    assert fields(lines=(line(tax_rate=Decimal(16)),), placed_at=late) == []


def test_in_the_union_the_rates_of_both_countries_are_known() -> None:
    """Above the threshold Austria's rate is right, below it Germany's; Hungary's never is."""
    assert at("AT", lines=(line(tax_rate=Decimal(20)),)) == []
    assert at("AT", lines=(line(tax_rate=Decimal(19)),)) == []
    assert at("AT", lines=(line(tax_rate=Decimal(27)),)) == ["lines.1.tax_rate"]


def test_switzerland_has_rates_of_its_own() -> None:
    """8.1 percent since 2024."""
    assert at("CH", lines=(line(tax_rate=Decimal("8.1")),)) == []
    assert at("CH", lines=(line(tax_rate=Decimal("7.7")),)) == ["lines.1.tax_rate"]


def test_no_tax_at_home_needs_a_reason() -> None:
    """A 0 percent line without a known reason is an exception; a person may give the reason."""
    free = line(tax_rate=Decimal(0))
    shipping = OrderCharge(ChargeKind.SHIPPING, "DHL", Decimal(5), Decimal(0))

    assert fields(lines=(free,), charges=(shipping,)) == ["lines.1.tax_rate", "charges.1.tax_rate"]
    reasoned = replace(free, tax_reason="Photovoltaik, par. 12 (3) UStG")
    assert fields(lines=(reasoned,), charges=(shipping,)) == []


def test_an_export_bears_no_tax() -> None:
    """Goods that leave the VAT area; Büsingen and Helgoland lie outside it too."""
    free = (line(tax_rate=Decimal(0)),)

    assert at("CH", lines=free) == []
    assert at("US", "10001", lines=free) == []
    assert at("DE", "78266", lines=free) == []
    assert at("DE", "78267", lines=free) == ["lines.1.tax_rate"]


def test_an_intra_community_supply_needs_both_vat_ids_and_a_business() -> None:
    """Par. 6a UStG."""
    free = (line(tax_rate=Decimal(0)),)
    business = Buyer(kind=CustomerKind.B2B, company="Huber", email="h@example.at")
    known = replace(business, vat_id="ATU13585627")
    abroad = order(lines=free, buyer=known, billing=replace(BONN, country="AT", postcode="1010"))

    assert at("AT", lines=free, buyer=known) == []
    assert at("AT", lines=free, buyer=business) == ["lines.1.tax_rate"]
    assert at("AT", lines=free, buyer=replace(known, kind=CustomerKind.B2C)) == ["lines.1.tax_rate"]
    assert at("AT", lines=free, buyer=replace(known, vat_id="DE136695976")) == ["lines.1.tax_rate"]
    assert order_problems(abroad, replace(COMPANY, vat_id="")) != ()


def test_the_goods_decide_not_the_bill() -> None:
    """Billed in Zürich, delivered in Bonn: German tax."""
    billed = replace(BONN, country="CH", postcode="8001", city="Zürich")

    assert fields(billing=billed, shipping=BONN) == []
    assert fields(billing=billed, shipping=BONN, lines=(line(tax_rate=Decimal(0)),)) == [
        "lines.1.tax_rate"
    ]


def test_an_order_discount_may_name_a_rate_that_exists() -> None:
    """Without one it is split; with one it is checked."""
    good, split, bad = (OrderDiscount("R", Decimal(1), rate) for rate in (Decimal(7), None, 5))

    assert fields(discounts=(good, split)) == []
    assert fields(discounts=(bad,)) == ["discounts.1.tax_rate"]


def test_the_reason_for_no_tax_is_one_of_two_or_none() -> None:
    """The invoice prints it; without a country nothing can be said."""
    business = Buyer(kind=CustomerKind.B2B, vat_id="ATU13585627", email="h@example.at")
    austria, swiss = (replace(BONN, country=country, postcode="1010") for country in ("AT", "CH"))

    reasons = [
        zero_rate_reason(order(buyer=business, billing=place), COMPANY)
        for place in (austria, swiss, BONN, replace(BONN, country=""))
    ]
    assert reasons == ["intra-Community supply", "export", "", ""]
