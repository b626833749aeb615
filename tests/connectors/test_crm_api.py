"""The connections to HubSpot and Pipedrive, against a server that follows their documentation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from connectors.crm import http
from connectors.crm.http import pause_of
from connectors.crm.port import CrmAwayError, CrmBusyError, CrmRefusedError
from connectors.crm.settings import CrmSettings, read_settings
from connectors.crm.vendors import connected
from connectors.shops.crm import CrmConnector
from connectors.shops.port import OrderEvent, parse_document
from domain.errors import RefusedError
from domain.order import Order
from tests.connectors.samples import read
from tests.crm_server import TOKEN, Crm

VAT_FIELD = "3f2a9c1d7e5b4a60918273645f0e1d2c3b4a5968"
SAID_FIELD = "9c0b1f7e2d3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c"
VALUES = {
    "invoice_no": "RE-2026-00001",
    "status": "paid",
    "due_date": "2026-12-22",
    "paid_on": "",
}


@dataclass
class Channel:
    """A channel that is connected for each call, as activities do."""

    settings: CrmSettings
    token: str

    async def fetch(self, deal_id: str) -> Any:
        """Fetch a deal."""
        async with connected("crm", self.settings, self.token) as connection:
            return await connection.fetch(deal_id)

    async def update(self, deal_id: str, values: dict[str, str]) -> None:
        """Update a deal."""
        async with connected("crm", self.settings, self.token) as connection:
            await connection.update(deal_id, values)


def connect(crm: Crm, vendor: str = "hubspot", token: str = TOKEN, **more: Any) -> Channel:
    """Return a channel to the server."""
    return Channel(read_settings({"vendor": vendor, "api_url": crm.url, **more}), token)


def order_of(document: Any, **settings: Any) -> Order:
    """Read a gathered deal as it would be taken in."""
    connector = CrmConnector(read_settings({"vendor": document["vendor"], **settings}))
    event = connector.read(parse_document(json.dumps(document).encode()), channel="shop")
    assert isinstance(event, OrderEvent)
    return event.order


async def test_a_fetched_deal_of_hubspot_is_the_order_of_its_sample(crm: Crm) -> None:
    """Deal, associations, batch reads, tax library: the same order as the whole file gives."""
    crm.load("crm-ok")

    fetched = await connect(crm).fetch("9605180927")

    assert order_of(fetched) == read("crm-ok")
    assert ("GET", "/tax-rates/v1/tax-rates/12345678") in crm.asked


async def test_a_tax_key_that_the_settings_explain_is_not_asked_for(crm: Crm) -> None:
    """The table of the channel comes first, and saves a call."""
    crm.load("crm-ok")

    fetched = await connect(crm, tax_rates={"12345678": "7"}).fetch("9605180927")

    assert not any(path.startswith("/tax-rates") for _, path in crm.asked)
    order = order_of(fetched, tax_rates={"12345678": "7"})
    assert {line.tax_rate for line in order.lines} == {7}


async def test_a_deal_with_many_positions_is_gathered_page_by_page(crm: Crm) -> None:
    """250 line items: associations in pages, batch reads of a hundred, all in their order."""
    document = crm.load("crm-ok")
    line = document["line_items"][0]
    ids = [str(40_000_000 + number) for number in range(250)]
    for number in ids:
        crm.objects["line_items"][number] = {
            **line,
            "id": number,
            "properties": {**line["properties"], "name": f"Position {number}"},
        }
    document["deal"]["associations"]["line items"] = {
        "results": [{"id": number, "type": "deal_to_line_item"} for number in ids]
    }

    order = order_of(await connect(crm).fetch("9605180927"))

    assert [line.name for line in order.lines] == [f"Position {number}" for number in ids]
    paths = [path for _, path in crm.asked]
    assert paths.count("/crm/v4/objects/deals/9605180927/associations/line_items") == 3
    assert paths.count("/crm/v3/objects/line_items/batch/read") == 3


async def test_half_a_deal_is_no_deal(crm: Crm) -> None:
    """A line item that is not returned (deleted just now) makes us ask again, never invoice."""
    crm.load("crm-ok")
    del crm.objects["line_items"]["30881002"]

    with pytest.raises(CrmAwayError, match="1 of the deal's line_items"):
        await connect(crm).fetch("9605180927")


async def test_a_fetched_deal_of_pipedrive_is_the_order_of_its_sample(crm: Crm) -> None:
    """Deal, products in pages, their numbers, discounts, organization and person."""
    crm.load("crm-pipedrive")
    crm.page = 2

    fetched = await connect(crm, "pipedrive").fetch("4711")

    assert order_of(fetched) == read("crm-pipedrive")
    assert order_of(fetched, reads={"vat_id": VAT_FIELD}).buyer.vat_id == "ATU13585627"


async def test_what_became_of_a_deal_is_written_into_its_fields(crm: Crm) -> None:
    """HubSpot by name, Pipedrive by key; what is empty is cleared."""
    crm.load("crm-ok")
    crm.load("crm-pipedrive")

    await connect(crm).update("9605180927", VALUES)
    await connect(crm, "pipedrive", writes={"status": SAID_FIELD}).update("4711", VALUES)

    assert crm.said("9605180927") == [
        {
            "zahltag_invoice_no": "RE-2026-00001",
            "zahltag_invoice_status": "paid",
            "zahltag_due_date": "2026-12-22",
            "zahltag_paid_on": "",
        }
    ]
    assert crm.said("4711") == [{SAID_FIELD: "paid"}]


@pytest.mark.parametrize("vendor", ["hubspot", "pipedrive"])
async def test_a_limit_that_is_reached_says_how_long_to_wait(crm: Crm, vendor: str) -> None:
    """429: HubSpot names its window, Pipedrive when it resets; Retry-After comes first."""
    crm.load("crm-ok", id="1")
    crm.load("crm-pipedrive", id="1")
    crm.limit = 1
    connection = connect(crm, vendor, writes={"status": "zahltag_invoice_status"})
    await connection.update("1", VALUES)

    with pytest.raises(CrmBusyError) as busy:
        await connection.update("1", VALUES)

    assert busy.value.after == timedelta(seconds=1)
    crm.faults.append((429, {"retry-after": "7"}, {"status": "error"}))
    with pytest.raises(CrmBusyError) as busy:
        await connection.update("1", VALUES)
    assert busy.value.after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "0"}, 1),
        ({"retry-after": "999999"}, 3600),
        ({"retry-after": "nonsense"}, 10),
        ({"retry-after": format_datetime(datetime(2020, 1, 1, tzinfo=UTC))}, 1),
        ({"x-ratelimit-reset": "2"}, 2),
        ({"x-hubspot-ratelimit-interval-milliseconds": "10000"}, 10),
        ({}, 10),
    ],
)
def test_a_pause_stays_within_reason(headers: dict[str, str], seconds: int) -> None:
    """At least a second, at most an hour, ten seconds where nobody says."""
    assert pause_of(headers) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ((500, {}, {}), CrmAwayError, "trouble of its own"),
        ((502, {}, b"<html>bad gateway</html>"), CrmAwayError, "trouble of its own"),
        ((503, {"retry-after": "3"}, {}), CrmBusyError, "pause of 3 s"),
        ((200, {}, b"<html>hello</html>"), CrmAwayError, "no JSON"),
        ((200, {}, [1]), CrmAwayError, "no object"),
        ((200, {"content-encoding": "gzip"}, b"no gzip"), CrmAwayError, "cannot be reached"),
        ((403, {}, b"<html>error 1015</html>"), CrmBusyError, "at its gate"),
        ((403, {}, {"message": "scopes"}), CrmRefusedError, "scopes"),
        ((302, {"location": "https://evil.example/"}, {}), CrmRefusedError, "not followed"),
        ((400, {}, {"message": "Property\n\u0007 wrong"}), CrmRefusedError, "Property wrong"),
        ((200, {}, b'"' + b"x" * (5 * 1024 * 1024 + 1) + b'"'), CrmRefusedError, "5 MB"),
    ],
)
@pytest.mark.parametrize("vendor", ["hubspot", "pipedrive"])
async def test_every_odd_answer_has_its_name(
    crm: Crm, vendor: str, fault: Any, kind: type[Exception], words: str
) -> None:
    """Ask again, wait, or leave it to a person; never an exception that nobody expects."""
    crm.faults.append(fault)

    with pytest.raises(kind, match=words):
        await connect(crm, vendor).fetch("1")

    assert len(crm.asked) == 1  # neither repeated here nor followed elsewhere


async def test_a_wrong_token_and_an_unknown_deal_are_refused_in_plain_words(crm: Crm) -> None:
    """401 and 404: a person has to look; the token is in no message."""
    with pytest.raises(CrmRefusedError, match="--token-file FILE") as refused:
        await connect(crm, token="another-token").fetch("1")
    assert "another-token" not in refused.value.message
    for vendor in ("hubspot", "pipedrive"):
        with pytest.raises(CrmRefusedError, match="does not know the deal"):
            await connect(crm, vendor).fetch("1")


async def test_a_field_that_does_not_exist_is_named(crm: Crm) -> None:
    """400 of HubSpot: its own words say which."""
    crm.load("crm-ok")

    with pytest.raises(CrmRefusedError, match=r"Property \S+no_such_field"):
        await connect(crm, writes={"status": "no_such_field"}).update("9605180927", VALUES)


async def test_nobody_there_and_nobody_answering_is_being_away(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refused connection and a slow answer: to be tried again."""
    monkeypatch.setattr(http, "IN_ALL", 0.2)
    crm.faults.append(1.0)
    with pytest.raises(CrmAwayError, match="cannot be reached"):
        await connect(crm).fetch("1")

    crm.url = "http://127.0.0.1:1"
    with pytest.raises(CrmAwayError, match="cannot be reached"):
        await connect(crm).fetch("1")


async def test_a_channel_without_vendor_or_token_says_what_to_do(crm: Crm) -> None:
    """Before anything is called."""
    with pytest.raises(RefusedError, match="names no vendor yet"):
        await Channel(read_settings({}), TOKEN).fetch("1")
    with pytest.raises(RefusedError, match="no API token yet"):
        await connect(crm, token="").fetch("1")
    assert crm.asked == []
