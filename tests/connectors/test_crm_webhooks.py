"""Webhooks of HubSpot and Pipedrive: who calls, and which events may have won a deal."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.crm import hubspot, pipedrive
from connectors.crm.port import Delivery
from connectors.crm.settings import read_settings
from connectors.signatures import SignatureError
from domain.errors import RefusedError

NOW = datetime(2026, 11, 20, 14, 3, tzinfo=UTC)
SECRET = "client-secret-of-the-app"
ADDRESS = "https://zahltag.example/webhooks/crm"
HUBSPOT = read_settings({"vendor": "hubspot"})
PIPEDRIVE = read_settings({"vendor": "pipedrive", "writes": {"status": "aaaa", "paid_on": "bbbb"}})
BODY = b'[{"objectId": 1}]'


def signed(
    body: bytes = BODY, address: str = ADDRESS, sent: datetime = NOW, secret: str = SECRET
) -> dict[str, str]:
    """Return the headers with which HubSpot sends this body to this address."""
    stamp = str(int(sent.timestamp() * 1000))
    raw = b"POST" + address.encode() + body + stamp.encode()
    digest = hmac.new(secret.encode(), raw, hashlib.sha256).digest()
    return {
        "X-HubSpot-Signature-v3": base64.b64encode(digest).decode(),
        "X-HubSpot-Request-Timestamp": stamp,
    }


def delivery(
    headers: dict[str, str], body: bytes = BODY, address: str = ADDRESS, method: str = "POST"
) -> Delivery:
    """Return a call as it comes in."""
    return Delivery(method, address, headers, body, NOW)


def test_a_right_signature_of_hubspot_passes() -> None:
    """Over method, address, body and time; the address with its marks decoded, as they document."""
    hubspot.verify(delivery(signed()), SECRET, HUBSPOT)
    odd = "https://zahltag.example/webhooks/crm%3Aa?x=%3A"
    hubspot.verify(
        delivery(signed(address="https://zahltag.example/webhooks/crm:a?x=%3A"), address=odd),
        SECRET,
        HUBSPOT,
    )


def test_the_address_that_hubspot_calls_may_be_another_than_ours() -> None:
    """Behind a proxy: the channel says which."""
    behind = read_settings({"vendor": "hubspot", "webhook_url": "https://pay.example/hook"})
    headers = signed(address="https://pay.example/hook")

    hubspot.verify(delivery(headers, address="http://10.0.0.7/webhooks/crm"), SECRET, behind)


@pytest.mark.parametrize(
    ("headers", "change"),
    [
        ({}, {}),
        ({"X-HubSpot-Signature-v3": "AAAA"}, {}),
        (signed() | {"X-HubSpot-Signature-v3": "ü"}, {}),
        (signed() | {"X-HubSpot-Request-Timestamp": "9" * 16}, {}),
        (signed() | {"X-HubSpot-Request-Timestamp": "²"}, {}),
        (signed(secret="another secret"), {}),
        (signed(), {"body": BODY + b" "}),
        (signed(), {"address": ADDRESS + "/"}),
        (signed(), {"method": "PUT"}),
        (signed(sent=NOW - timedelta(minutes=6)), {}),
        (signed(sent=NOW + timedelta(minutes=6)), {}),
    ],
)
def test_a_wrong_signature_of_hubspot_is_refused(
    headers: dict[str, str], change: dict[str, Any]
) -> None:
    """Missing, tampered with, of another app, replayed."""
    with pytest.raises(SignatureError):
        hubspot.verify(delivery(headers, **change), SECRET, HUBSPOT)


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of HTTP Basic."""
    code = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {code}"}


def test_pipedrive_shows_user_and_password() -> None:
    """Nothing is signed; the address must be https for that."""
    pipedrive.verify(delivery(basic("zahltag", SECRET)), SECRET, PIPEDRIVE)
    for headers in (
        {},
        basic("zahltag", "wrong"),
        basic("another", SECRET),
        {"Authorization": f"Bearer {SECRET}"},
        {"Authorization": "Basic ???"},
        {"Authorization": "Basic ü"},
    ):
        with pytest.raises(SignatureError):
            pipedrive.verify(delivery(headers), SECRET, PIPEDRIVE)


def hubspot_event(**changes: Any) -> dict[str, Any]:
    """Return one event as HubSpot sends it."""
    return {
        "eventId": 3181526809,
        "subscriptionId": 25,
        "portalId": 62515,
        "appId": 1160452,
        "occurredAt": 1795183391123,
        "subscriptionType": "deal.propertyChange",
        "attemptNumber": 0,
        "objectId": 9605180927,
        "propertyName": "dealstage",
        "propertyValue": "closedwon",
        "changeSource": "CRM_UI",
        "sourceId": "userId:9",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, True),
        ({"propertyValue": "77120001"}, True),  # another pipeline's stage: the deal itself says
        ({"propertyName": "hs_is_closed_won", "propertyValue": "true"}, True),
        ({"propertyName": "hs_is_closed_won", "propertyValue": "false"}, False),
        ({"propertyName": "amount"}, False),
        ({"subscriptionType": "contact.propertyChange"}, False),
        ({"subscriptionType": "deal.deletion"}, False),
        ({"subscriptionType": "object.propertyChange", "objectTypeId": "0-3"}, True),
        ({"subscriptionType": "object.propertyChange", "objectTypeId": "0-1"}, False),
    ],
)
def test_events_of_hubspot(changes: dict[str, Any], *, taken: bool) -> None:
    """Of a call with many events, those that may have won a deal."""
    found = hubspot.events([hubspot_event(**changes)], HUBSPOT)

    assert [event.deal_id for event in found] == (["9605180927"] if taken else [])


def test_named_stages_spare_calls() -> None:
    """Where the channel says which stages are won, other stages are not even fetched."""
    named = read_settings({"vendor": "hubspot", "won_stages": ["77120001"]})

    assert hubspot.events([hubspot_event()], named) == []
    assert len(hubspot.events([hubspot_event(propertyValue="77120001")], named)) == 1


def test_a_repeated_event_has_the_same_id_and_content() -> None:
    """HubSpot counts its attempts in the event; another event of the same moment is another."""
    [first] = hubspot.events([hubspot_event()], HUBSPOT)
    [again] = hubspot.events([hubspot_event(attemptNumber=3)], HUBSPOT)
    [other] = hubspot.events([hubspot_event(eventId=2)], HUBSPOT)

    assert (first.event_id, first.content) == (again.event_id, again.content)
    assert first.event_id != other.event_id


@pytest.mark.parametrize(
    "body",
    [{}, "x", None, [1], [[]], [{}] * 1001, [hubspot_event(objectId="../deals/2")]],
)
def test_what_hubspot_never_sends_is_refused(body: Any) -> None:
    """In words, without an exception nobody expects."""
    with pytest.raises(RefusedError):
        hubspot.events(body, HUBSPOT)


def pipedrive_event(**changes: Any) -> dict[str, Any]:
    """Return one event of webhooks v2."""
    event: dict[str, Any] = {
        "data": {"id": 4711, "status": "won", "value": 1764},
        "previous": {"status": "open", "won_time": None},
        "meta": {
            "action": "change",
            "company_id": "1",
            "correlation_id": "0bb8b12c",
            "entity_id": "4711",
            "entity": "deal",
            "id": "b1a3d9f4-0f3c-4c0e-9b1e-0a5f0a4f7b11",
            "is_bulk_edit": False,
            "timestamp": "2026-11-20T14:03:11.000Z",
            "type": "general",
            "user_id": "12002",
            "version": "2.0",
            "webhook_id": "77",
            "webhook_owner_id": "12002",
            "change_source": "app",
            "permitted_user_ids": ["12002"],
            "attempt": 1,
            "host": "muster.pipedrive.com",
        },
    }
    for name, value in changes.items():
        part, _, key = name.partition("__")
        event[part] = {**event[part], key: value} if key else value
    return event


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({}, True),
        ({"data__status": "open"}, False),
        ({"meta__entity": "person"}, False),
        ({"meta__action": "delete", "data": None}, False),
        ({"meta__action": "create", "previous": None}, True),
        ({"previous": {"value": 1500}}, True),
        ({"previous": {"update_time": "x", "custom_fields": {"aaaa": "", "bbbb": ""}}}, False),
        ({"previous": {"update_time": "x", "custom_fields": {"cccc": ""}}}, True),
    ],
)
def test_events_of_pipedrive(changes: dict[str, Any], *, taken: bool) -> None:
    """A deal that is won now, and not the echo of what we wrote ourselves."""
    found = pipedrive.events(pipedrive_event(**changes), PIPEDRIVE)

    assert [event.deal_id for event in found] == (["4711"] if taken else [])


def test_a_repeated_event_of_pipedrive_is_the_same() -> None:
    """It counts its attempts too."""
    [first] = pipedrive.events(pipedrive_event(), PIPEDRIVE)
    [again] = pipedrive.events(pipedrive_event(meta__attempt=2), PIPEDRIVE)

    assert first == again
    assert json.loads(first.content)["meta"]["entity_id"] == "4711"


@pytest.mark.parametrize(
    "body", [{}, [], "x", None, {"meta": 1}, pipedrive_event(meta__entity_id="a/b")]
)
def test_what_pipedrive_never_sends_is_refused(body: Any) -> None:
    """In words."""
    with pytest.raises(RefusedError):
        pipedrive.events(body, PIPEDRIVE)
