"""What a won deal becomes: positions, discounts, tax keys, parties, gaps, references; settings."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.crm.settings import defaults, read_settings
from connectors.shops.crm import CrmConnector
from connectors.shops.port import Ignored, OrderEvent
from domain.corrections import correct
from domain.errors import RefusedError
from domain.order import CustomerKind, Order, PaymentStatus, PriceMode
from domain.pricing import price, total_problems
from domain.validation import order_problems
from tests.connectors.samples import document
from tests.domain.orders import COMPANY


def read(changed: dict[str, Any], **settings: Any) -> Order:
    """Read a deal by a channel's settings."""
    connector = CrmConnector(read_settings({"vendor": changed["vendor"], **settings}))
    event = connector.read(changed, channel="crm")
    assert isinstance(event, OrderEvent)
    return event.order


def hubspot(line: dict[str, Any] | None = None, **deal: Any) -> dict[str, Any]:
    """Return the good deal with changes to its first position and to the deal."""
    found = document("crm-ok")
    found["line_items"][0]["properties"].update(line or {})
    found["deal"]["properties"].update(deal)
    return found


def test_a_won_deal_of_hubspot_in_full() -> None:
    """Net positions with a discount, a business with its VAT id, references, on account."""
    order = read(hubspot())

    assert (order.order_no, order.deal) == ("9605180927", "9605180927 Regalanlage Halle Nord")
    assert order.deal_reference == "EK-2026-118"
    assert (order.price_mode, order.net_total, order.total) == (
        PriceMode.NET,
        Decimal("2350.00"),
        Decimal("2796.50"),
    )
    first = order.lines[0]
    assert (first.sku, first.category, first.discount, first.tax_rate) == (
        "HW-PR-2700",
        "inventory",
        Decimal("95.00"),
        Decimal(19),
    )
    assert (order.buyer.kind, order.buyer.vat_id) == (CustomerKind.B2B, "DE111122239")
    assert (order.billing.company, order.billing.country) == ("Lagertechnik Weber GmbH", "DE")
    assert order.payment.status is PaymentStatus.LATER


@pytest.mark.parametrize(
    ("line", "discount"),
    [
        ({"hs_total_discount": None}, "95.00"),  # 5 percent of 1,900.00
        ({"hs_total_discount": None, "hs_discount_percentage": None, "discount": "10"}, "20"),
        ({"hs_total_discount": "0", "hs_discount_percentage": "0"}, "0"),
    ],
)
def test_discounts_of_a_position(line: dict[str, Any], discount: str) -> None:
    """In all, in percent of the line, or for each: as HubSpot reckons."""
    assert read(hubspot(line)).lines[0].discount == Decimal(discount)


@pytest.mark.parametrize(
    ("line", "settings", "rate"),
    [
        ({}, {}, "19"),
        ({}, {"tax_rates": {"12345678": "7"}}, "7"),
        ({"hs_tax_rate_group_id": "99"}, {}, None),
        ({"hs_tax_rate_group_id": "99"}, {"default_tax_rate": "19"}, None),
        ({"hs_tax_rate_group_id": "99", "hs_tax_rate": "7"}, {}, "7"),
        ({"hs_tax_rate_group_id": None}, {}, None),
        ({"hs_tax_rate_group_id": None}, {"default_tax_rate": "19"}, "19"),
    ],
)
def test_tax_keys(line: dict[str, Any], settings: dict[str, Any], rate: str | None) -> None:
    """The channel's table, the account's library, the line; a gap takes the default.

    A key that nobody explains is no gap: it becomes a question.
    """
    found = read(hubspot(line), **settings).lines[0].tax_rate

    assert found == (None if rate is None else Decimal(rate))


def test_an_amount_that_the_positions_do_not_come_to_is_a_finding() -> None:
    """The deal says 2,000.00 net and its positions 2,350.00: a person is asked, not the customer."""
    order = read(hubspot(amount="2000.00"))
    [problem] = total_problems(order)

    assert (problem.field, problem.found) == ("net_total", "2000.00 EUR")
    assert total_problems(correct(order, {"net_total": "2350"})) == ()
    assert read(hubspot(amount=None)).net_total == Decimal("2350.00")


def test_a_missing_rate_is_corrected_and_the_total_follows() -> None:
    """What a person mends changes the gross total; nobody has to reckon."""
    order = read(hubspot({"hs_tax_rate_group_id": None}))
    assert order.total == Decimal("2350.00")

    mended = correct(order, {"lines.1.tax_rate": "19"})

    assert mended.total == Decimal("2796.50") == price(mended).totals.charged


def test_custom_fields_are_read_where_the_channel_says() -> None:
    """VAT id, the buyer's number, payment terms, day of supply."""
    found = hubspot(po="4500", frist="45", leistung="2026-11-18")
    found["companies"][0]["properties"]["ust"] = "DE 111 122 239"
    reads = {"vat_id": "ust", "purchase_order": "po", "terms_days": "frist"}
    order = read(found, reads={**reads, "supply_date": "leistung"})

    assert (order.buyer.vat_id, order.deal_reference) == ("DE111122239", "4500")
    assert (order.terms_days, str(order.supply_date)) == (45, "2026-11-18")


def test_gaps_take_what_the_channel_says() -> None:
    """Country, currency, owner; a person without a company is a consumer."""
    found = hubspot(deal_currency_code=None)
    found["companies"] = []
    found["contacts"][0]["properties"].update(company=None, address="Am Wall 3", zip="28195")
    found["contacts"][0]["properties"].update(city="Bremen")
    settings = {"default_currency": "EUR", "default_country": "DE", "owners": {"77120451": "anna"}}
    order = read(found, **settings)

    assert (order.currency, order.billing.country, order.owner) == ("EUR", "DE", "anna")
    assert (order.buyer.kind, order.billing.name) == (CustomerKind.B2C, "Svenja Weber")
    assert order_problems(order, COMPANY) == ()
    with pytest.raises(RefusedError, match="default_currency"):
        read(found)


def test_a_deal_without_any_party_is_taken_with_findings() -> None:
    """Nothing is refused that a person can complete."""
    found = hubspot()
    found["companies"], found["contacts"] = [], []

    fields = {problem.field for problem in order_problems(read(found), COMPANY)}

    assert fields == {
        "buyer.email",
        "billing.name",
        "billing.street",
        "billing.postcode",
        "billing.city",
        "billing.country",
    }


@pytest.mark.parametrize(
    ("deal", "settings"),
    [
        ({"dealstage": "closedlost", "hs_is_closed_won": "false"}, {}),
        ({"dealstage": "contractsent", "hs_is_closed_won": None}, {}),
        ({}, {"won_stages": ["77120001"]}),
    ],
)
def test_a_deal_that_is_not_won_is_ignored(deal: dict[str, Any], settings: dict[str, Any]) -> None:
    """With its stage as the reason."""
    connector = CrmConnector(read_settings({"vendor": "hubspot", **settings}))

    event = connector.read(hubspot(**deal), channel="crm")

    assert isinstance(event, Ignored)
    assert "not won" in event.reason


def test_pipedrive_prices_with_and_without_tax() -> None:
    """Inclusive prices are gross, and the deal's value is then the total; mixed ones are refused."""
    found = document("crm-pipedrive")
    for product in found["products"]:
        product["tax_method"] = "inclusive"
    found["deal"]["value"] = 1470
    order = read(found)
    assert (order.price_mode, order.total, order.net_total) == (PriceMode.GROSS, 1470, None)
    assert total_problems(order) == ()

    found["products"][0]["tax_method"] = "exclusive"
    with pytest.raises(RefusedError, match="one tax method"):
        read(found)


def test_the_value_of_pipedrive_may_be_net_or_gross_but_not_neither() -> None:
    """Accounts show it either way."""
    found = document("crm-pipedrive")
    for value, problems in ((1470, 0), (1764, 0), (1700, 1)):
        found["deal"]["value"] = value
        assert len(total_problems(read(found))) == problems


def test_without_a_tax_method_the_default_rate_is_taken() -> None:
    """``none`` says that the account does not reckon taxes, not that none is due."""
    found = document("crm-pipedrive")
    for product in found["products"]:
        product["tax_method"], product["tax"] = "none", 0

    assert {line.tax_rate for line in read(found).lines} == {None}
    rates = {line.tax_rate for line in read(found, default_tax_rate="20").lines}
    assert rates == {Decimal(20)}


def test_a_deal_of_another_vendor_is_refused() -> None:
    """A channel is one connection."""
    connector = CrmConnector(read_settings({"vendor": "pipedrive"}))
    with pytest.raises(RefusedError, match="a deal of pipedrive"):
        connector.read(hubspot(), channel="crm")
    with pytest.raises(RefusedError, match="hubspot or pipedrive"):
        CrmConnector().read({"vendor": ["x"]}, channel="crm")


WRONG = {
    "api_url": "http://api.hubapi.com",
    "tax_rates": {"1": 19},
    "default_tax_rate": "a lot",
    "default_country": "Germany",
    "default_currency": "EURO",
    "owners": ["anna"],
    "won_stages": "closedwon",
    "reads": {"vat_id": "a.b[c=d]"},
    "writes": {"total": "x"},
    "webhook_url": "https://user:password@zahltag.example/",
    "webhook_user": "",
    "colour": "blue",
}


def test_every_wrong_setting_is_named_at_once() -> None:
    """Strict: a misspelt field would cost a gap nobody sees."""
    with pytest.raises(RefusedError) as refused:
        read_settings({"vendor": "hubspot", **WRONG})

    assert [problem.field for problem in refused.value.problems] == list(WRONG)


def test_the_sample_settings_are_right() -> None:
    """What ``samples/crm-hubspot.yaml`` shows can be set."""
    file = Path(__file__).resolve().parents[2] / "samples" / "crm-hubspot.yaml"
    settings = read_settings(yaml.safe_load(file.read_text(encoding="utf-8")))

    assert settings.tax_rates["12345678"] == 19
    assert settings.writes == defaults("hubspot").writes


def test_settings_survive_being_stored() -> None:
    """What is dumped is read again; nothing set is the vendor's default."""
    full = read_settings(
        {
            "vendor": "hubspot",
            "api_url": "http://127.0.0.1:8000/",
            "tax_rates": {"1": "19"},
            "owners": {"7": "anna"},
            "writes": {},
        }
    )
    assert read_settings(full.dump()) == full
    assert read_settings({"vendor": "hubspot"}) == defaults("hubspot")
    assert read_settings({}).dump() == {}
    assert replace(full, api_url="x") != full
    for odd in ([], {"vendor": "salesforce"}, {"settings": 1}):
        with pytest.raises(RefusedError):
            read_settings(odd)
