"""Won deals over the API: channels of a CRM, its webhooks, files that people submit, routing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from models.store import fetches
from models.tables import OrderFetch

from .conftest import Api, one_sentence, sample

TOKEN = "pat-eu1-secret-token"
SETTINGS = {"vendor": "hubspot", "tax_rates": {"12345678": "19"}, "owners": {"77120451": "anna"}}


async def connect(api: Api, **settings: Any) -> None:
    """Make the channel ``crm`` a connection to a CRM."""
    body = {"source": "crm", "settings": {**SETTINGS, **settings}, "api_token": TOKEN}
    answer = await api.call("PUT", "/api/channels/crm", json=body)
    assert answer.status_code == 200, answer.text


def event(**changes: Any) -> dict[str, Any]:
    """Return one event of HubSpot: a deal's stage changed."""
    return {
        "eventId": 100,
        "subscriptionId": 25,
        "portalId": 62515,
        "occurredAt": 1795183391123,
        "subscriptionType": "deal.propertyChange",
        "attemptNumber": 0,
        "objectId": 9605180927,
        "propertyName": "dealstage",
        "propertyValue": "closedwon",
        **changes,
    }


async def send(api: Api, events: Any, *, secret: str = "") -> httpx.Response:
    """Send events as HubSpot does, signed for the address that ``channel list`` shows."""
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    stamp = str(int(datetime.now(UTC).timestamp() * 1000))
    [channel] = [c for c in await api.get("/api/channels") if c["name"] == "crm"]
    signed = b"POST" + channel["address"].encode() + body + stamp.encode()
    key = (secret or await api.secret("crm")).encode()
    headers = {
        "X-HubSpot-Signature-v3": base64.b64encode(
            hmac.new(key, signed, hashlib.sha256).digest()
        ).decode(),
        "X-HubSpot-Request-Timestamp": stamp,
        "authorization": "",
    }
    return await api.http.post("/webhooks/crm", content=body, headers=headers)


async def test_a_channel_of_a_crm_keeps_its_token_to_itself(api: Api) -> None:
    """Sealed in the database, in no answer; what is not given stays; the same again is known."""
    await connect(api)
    secret = await api.secret("crm")
    [shown] = [c for c in await api.get("/api/channels") if c["name"] == "crm"]

    assert (shown["has_token"], shown["settings"]["vendor"]) == (True, "hubspot")
    assert TOKEN not in json.dumps(await api.get("/api/channels"))
    async with api.database.engine.connect() as connection:
        row = await connection.exec_driver_sql("select api_token from channel where name = 'crm'")
        assert TOKEN not in row.scalar_one()
    again = {"source": "crm", "settings": SETTINGS, "api_token": TOKEN}
    assert (await api.call("PUT", "/api/channels/crm", json=again)).json()["known"] is True
    other = {"source": "crm", "settings": {**SETTINGS, "default_country": "AT"}}
    answer = (await api.call("PUT", "/api/channels/crm", json=other)).json()
    assert (answer["known"], answer["has_token"]) == (False, True)
    assert await api.secret("crm") == secret
    elsewhere = {"source": "crm", "settings": {**SETTINGS, "api_url": "https://evil.example"}}
    refused = await api.call("PUT", "/api/channels/crm", json=elsewhere)
    assert (refused.status_code, "give it again" in one_sentence(refused)) == (409, True)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"source": "crm", "settings": {"vendor": "salesforce"}}, "one of hubspot, pipedrive"),
        ({"source": "crm", "settings": {**SETTINGS, "colour": "x"}}, "colour"),
        ({"source": "crm", "settings": {**SETTINGS, "api_url": "http://evil.example"}}, "https"),
        ({"source": "crm", "settings": SETTINGS, "api_token": "two words"}, "API token"),
        ({"source": "shopify", "settings": SETTINGS}, "no settings"),
        ({"source": "shopify", "api_token": TOKEN}, "no API token"),
    ],
)
async def test_wrong_settings_change_nothing(api: Api, body: dict[str, Any], words: str) -> None:
    """One sentence that says what to do."""
    before = await api.get("/api/channels")
    answer = await api.call("PUT", f"/api/channels/{body['source']}", json=body)

    assert answer.status_code == 422
    assert words in one_sentence(answer)
    assert await api.get("/api/channels") == before


async def test_an_event_is_stored_and_its_deal_will_be_fetched(api: Api) -> None:
    """Answered without asking the CRM: an inbox row, a fetch, and an outbox row that starts it."""
    await connect(api)
    answer = await send(api, [event(), event(eventId=101, subscriptionType="deal.deletion")])

    assert (answer.status_code, answer.json()) == (200, {"case_id": "", "outcome": "fetching"})
    counts = await api.counts()
    assert [counts[t] for t in ("inbox", "order_fetch", "outbox", "sales_order")] == [1, 1, 1, 0]


async def test_waves_of_events_fetch_each_deal_once(api: Api) -> None:
    """A hundred deliveries of three events about two deals, attempts counted: two fetches."""
    await connect(api)
    batch = [event(), event(eventId=101), event(eventId=102, objectId=2)]
    batches = [[{**one, "attemptNumber": n} for one in batch] for n in range(20)]
    answers = await asyncio.gather(*(send(api, one) for one in batches))

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["outcome"] for answer in answers} <= {"fetching", "known"}
    counts = await api.counts()
    assert [counts[t] for t in ("inbox", "order_fetch", "outbox")] == [3, 2, 2]


async def test_an_event_during_a_fetch_fetches_again(api: Api) -> None:
    """What is being read right now may be older than the event."""
    await connect(api)
    await send(api, [event()])
    async with api.database.transaction() as session:
        [row] = await fetches.unfinished(session, datetime.now(UTC))
        await fetches.begin(session, row.id or 0)
    await send(api, [event(eventId=101)])

    assert (await api.counts())["order_fetch"] == 2


async def test_events_of_no_interest_leave_no_trace(api: Api) -> None:
    """Other objects, other properties, an empty list."""
    await connect(api)
    before = await api.counts()
    for events in (
        [],
        [event(propertyName="amount")],
        [event(subscriptionType="contact.creation")],
    ):
        answer = await send(api, events)
        assert answer.json() == {"case_id": "", "outcome": "ignored"}
    assert await api.counts() == before


async def test_what_is_wrong_with_a_webhook_leaves_no_trace(api: Api) -> None:
    """Not signed, not JSON, not events: the right status, one sentence, no row."""
    await connect(api)
    before = await api.counts()
    cases: list[tuple[Any, int, str]] = [
        (b"{events", 400, "not JSON"),
        (b"", 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"{}", 422, "no list of events"),
        ([1], 422, "no list of events"),
        ([event(objectId="../1")], 422, "names no deal"),
        (b'["' + b"x" * 3_000_000 + b'"]', 413, "too large"),
    ]
    for body, status, words in cases:
        answer = await send(api, body)
        assert (answer.status_code, words in one_sentence(answer)) == (status, True), words
    wrong = await send(api, [event()], secret="another secret")
    assert (wrong.status_code, "client secret" in one_sentence(wrong)) == (401, True)
    unsigned = await api.http.post("/webhooks/crm", json=[event()])
    assert unsigned.status_code == 401
    assert await api.counts() == before


async def test_a_channel_without_its_vendor_asks_to_try_later(api: Api) -> None:
    """Ours to mend: HubSpot keeps the events and sends them again."""
    answer = await api.http.post("/webhooks/crm", json=[event()])

    assert (answer.status_code, "names no vendor yet" in one_sentence(answer)) == (503, True)


async def test_a_deal_may_be_fetched_by_hand(api: Api) -> None:
    """After a failure, or for a deal that was won before we were connected."""
    await connect(api)
    first = await api.post("/api/channels/crm/fetch", {"id": "9605180927"}, "anna")
    again = await api.post("/api/channels/crm/fetch", {"id": "9605180927"})
    assert [answer.json()["known"] for answer in (first, again)] == [False, True]
    for name, number, status in (
        ("crm", "../1", 422),
        ("shopify", "1", 409),
        ("nobody", "1", 404),
    ):
        refused = await api.post(f"/api/channels/{name}/fetch", {"id": number})
        assert (refused.status_code, one_sentence(refused)[-1]) == (status, ".")
    assert (await api.post("/api/channels/crm/fetch", {"id": "1"}, "viktor")).status_code == 403


async def test_a_failed_fetch_is_a_task_until_it_succeeds(api: Api) -> None:
    """With what to do; a later fetch of the same deal closes it, one of another does not."""
    await connect(api)
    await api.post("/api/channels/crm/fetch", {"id": "1"})
    async with api.database.transaction() as session:
        [row] = await fetches.unfinished(session, datetime.now(UTC))
        await fetches.fail(session, row, "HubSpot does not know the deal.", None, datetime.now(UTC))
    [problem] = await api.get("/api/exceptions")
    [task] = await api.get("/api/tasks")
    assert (problem["kind"], problem["case_id"]) == ("fetch_failed", f"fetch-crm-1-{row.id}")
    assert (
        "`zahltag channel fetch crm 1`"
        in (await api.get(f"/api/tasks/{task['id']}"))["description"]
    )

    for deal, left in (("11", 1), ("1", 0)):
        await api.post("/api/channels/crm/fetch", {"id": deal})
        async with api.database.transaction() as session:
            [again] = await fetches.unfinished(session, datetime.now(UTC))
            at = datetime.now(UTC)
            await fetches.succeed(session, again, fetches.IGNORED, "not won", "", at)
        assert len(await api.get("/api/exceptions")) == left


async def test_a_submitted_deal_is_read_by_the_settings_of_its_channel(api: Api) -> None:
    """Tax keys, owners and defaults hold for files too; another vendor's deal is refused."""
    await connect(api, default_tax_rate="19")
    document = sample("crm-missing-fields")
    case_id = (await api.submit(document, "crm")).json()["case_id"]
    await api.work(case_id)

    problems = {p["field"] for p in (await api.get(f"/api/cases/{case_id}"))["problems"]}
    assert problems == {"billing.street", "billing.postcode"}
    refused = await api.submit(sample("crm-pipedrive"), "crm")
    assert (refused.status_code, "a deal of hubspot" in one_sentence(refused)) == (422, True)


async def test_deals_that_cannot_be_invoiced_are_refused_with_their_reason(api: Api) -> None:
    """Not won, billed monthly, of no vendor, of the wrong shape: no trace."""
    before = await api.counts()
    broken = sample("crm-ok")
    broken["line_items"][0]["properties"]["price"] = "much"
    for document, words in (
        (sample("crm-open-deal"), "not won"),
        (sample("crm-recurring"), "billed monthly"),
        ({"deal": {}}, "hubspot or pipedrive"),
        (broken, "line_items[0].properties.price"),
        ({**sample("crm-ok"), "deal": []}, "deal"),
    ):
        answer = await api.submit(document, "crm")
        assert (answer.status_code, words in one_sentence(answer)) == (422, True), words
    assert await api.counts() == before


async def test_a_deal_that_lacks_fields_is_a_task_until_it_is_complete(api: Api) -> None:
    """For the deal's owner, with all that is missing; corrected in two steps, then it closes."""
    await connect(api, owners={"77120451": "viktor"})
    case_id = (await api.submit(sample("crm-missing-fields"), "crm")).json()["case_id"]
    progress = await api.work(case_id)
    assert progress.plan.status == "needs_correction"
    [task] = await api.get("/api/tasks")
    assert (task["kind"], task["assignee"], task["status"]) == ("complete_deal", "viktor", "open")
    assert task["context"]["fields"] == ["billing.street", "billing.postcode", "lines.1.tax_rate"]

    fields = {"billing.street": "Schillerstraße 6", "billing.postcode": "39576"}
    await api.post(f"/api/cases/{case_id}/correct", {"fields": fields})
    await api.work(case_id)
    [task] = await api.get("/api/tasks")
    assert (task["status"], task["context"]["fields"]) == ("open", ["lines.1.tax_rate"])

    await api.post(f"/api/cases/{case_id}/correct", {"fields": {"lines.1.tax_rate": "19"}})
    await api.work(case_id)
    done = {task["kind"]: task for task in await api.get("/api/tasks")}["complete_deal"]
    assert (done["status"], done["outcome"]) == ("done", "the deal is complete")
    assert (await api.get(f"/api/cases/{case_id}"))["status"] == "awaiting_payment"


RULES = {
    "rules": [
        {
            "name": "Hardware DE",
            "when": {"sku_prefix": ["HW-"], "country": ["DE"]},
            "then": {
                "assignee": "anna",
                "terms_days": 21,
                "approval": "check stock",
                "cost_centre": "4700",
            },
        }
    ]
}


async def test_rules_route_an_order_and_the_case_says_why(api: Api) -> None:
    """Approval, terms, assignee and cost centre by rule; the deal's own terms come first."""
    assert (await api.call("PUT", "/api/routing", json=RULES)).json()["version"] == 1
    case_id = (await api.submit(sample("crm-ok"), "crm")).json()["case_id"]
    assert (await api.work(case_id)).plan.status == "needs_approval"
    [approval] = await api.get("/api/approvals")
    assert approval["why"] == "check stock (rule 'Hardware DE')"
    await api.post(f"/api/approvals/{approval['id']}/approve")
    await api.work(case_id)

    case = await api.get(f"/api/cases/{case_id}")
    said = (
        "Routed to anna by rule 'Hardware DE' (21 days to pay; needs an approval; cost centre 4700)"
    )
    assert said in [entry["text"] for entry in case["timeline"]]
    [invoice] = await api.get("/api/invoices")
    days = (
        datetime.fromisoformat(invoice["due_date"]) - datetime.fromisoformat(invoice["issue_date"])
    ).days
    assert 21 <= days <= 25  # moved from weekends and holidays
    [follow_up] = await api.get("/api/tasks")
    assert follow_up["assignee"] == "anna"


async def test_routing_keeps_every_version(api: Api) -> None:
    """Strict, known when repeated, with who set it; nobody else may."""
    assert (await api.get("/api/routing"))["rules"] == []
    first = await api.call("PUT", "/api/routing", json=RULES)
    again = await api.call("PUT", "/api/routing", json=RULES)
    assert [a.json()["known"] for a in (first, again)] == [False, True]
    wrong = await api.call("PUT", "/api/routing", json={"rules": [{"name": "x"}]})
    assert (wrong.status_code, "rules.1.then" in one_sentence(wrong)) == (422, True)
    viewer = {"X-Zahltag-User": "viktor"}
    refused = await api.http.put("/api/routing", json={"rules": []}, headers=viewer)
    assert refused.status_code == 403
    await api.call("PUT", "/api/routing", json={"rules": []})
    shown = await api.get("/api/routing")
    assert (shown["rules"], shown["version"], shown["set_by"]) == ([], 2, "admin")
    assert (await api.counts())["routing_version"] == 2


def test_a_fetch_has_an_id_that_operators_can_read() -> None:
    """Channel and deal stand in it."""
    row = OrderFetch(id=7, channel="crm", external_id="123", event="x")

    assert fetches.workflow_id(row) == "fetch-crm-123-7"
