"""What shops, providers, banks and mail services send: signed, and stored before it is answered.

A layer of its own in front of the routes: what they work out for every call costs as much as
reading an order does.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.bounce_webhook import SOURCES as REPORTS
from connectors.bounce_webhook import read_report, verify_report
from connectors.crm.port import Delivery
from connectors.payments import read_payment
from connectors.shops import SHOPS
from connectors.signatures import verify_standard
from domain.errors import NotFoundError, RefusedError
from models.store.intake import Arrival
from starter.api.connections import Connection
from starter.api.errors import http_refusal, refusal
from starter.api.inputs import json_object
from starter.api.services import Json, Services, now
from starter.bounce_reports import take_report
from starter.channel_secrets import PAYMENTS
from starter.deals import take_delivery
from starter.intake import CHANNEL_NAME, Taken, read_webhook
from starter.metrics import KIND
from starter.receipts import take_notice

PREFIX = "/webhooks/"
CRM = "crm"


class WebhookDoor:
    """Answers ``POST /webhooks/<channel>``; everything else passes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take in what is sent to a channel, or pass the call on."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        try:
            answer = JSONResponse(await _take(scope, receive))
        except RefusedError as error:
            answer = refusal(error)
        except HTTPException as error:
            answer = http_refusal(error)
        await answer(scope, receive, send)


async def _take(scope: Scope, receive: Receive) -> Json:
    """Take in an order, a payment or a mail report. 200: it is stored, and will have its effect."""
    if scope["method"] != "POST":
        raise HTTPException(405)
    services: Services = scope["app"].state.services
    channel = scope["path"].removeprefix(PREFIX)
    if not CHANNEL_NAME.fullmatch(channel):
        raise NotFoundError(f"There is no channel {channel[:60]!r}.")
    connection = await services.connections.of(channel)
    scope[KIND] = connection.source
    body, headers = await _body(receive), _headers(scope)
    if connection.source == PAYMENTS:
        verify_standard(headers, body, connection.secret, now())
        return await _payment(services, channel, body)
    if connection.source in REPORTS:
        return await _report(services, channel, connection, body, headers)
    if connection.source == CRM:
        delivery = Delivery(scope["method"], _address(services, scope), headers, body, now())
        outcome = await take_delivery(services.database, channel, connection.secret, delivery)
        return {"case_id": "", "outcome": outcome}
    connector = SHOPS[connection.source]
    connector.verify(headers, body, connection.secret, now())
    document = json_object(body)
    found = read_webhook(connector, document, body, channel=channel, headers=headers, at=now())
    taken = await services.desk.take(*found, connection.firm) if found else Taken("", "ignored")
    return {"case_id": taken.case_id, "outcome": taken.outcome}


def _address(services: Services, scope: Scope) -> str:
    """Return the address that was called, as the caller knows it: some sign it."""
    query = scope["query_string"].decode("latin-1")
    address = f"{services.settings.api_base_url}{scope['path']}"
    return f"{address}?{query}" if query else address


async def _body(receive: Receive) -> bytes:
    parts = list[bytes]()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _headers(scope: Scope) -> Mapping[str, str]:
    """Return the headers, names in small letters; of one that is repeated the first counts."""
    pairs = reversed(scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}


async def _report(
    services: Services,
    channel: str,
    connection: Connection,
    body: bytes,
    headers: Mapping[str, str],
) -> Json:
    """Take in what a mail service says became of a mail."""
    at, document = now(), json_object(body)
    verify_report(connection.source, headers, body, document, connection.secret, at)
    bounce = read_report(connection.source, document)
    if bounce is None:
        return {"outcome": "ignored"}
    by = f"channel {channel}"
    arrival = Arrival(channel, bounce.event_id, "mail_report", body, at, by)
    return {"outcome": await take_report(services.database, bounce, arrival)}


async def _payment(services: Services, channel: str, body: bytes) -> Json:
    notice = read_payment(json_object(body))
    arrival = Arrival(
        channel=channel,
        event_id=notice.event_id,
        kind="payment",
        body=body,
        at=now(),
        by=f"channel {channel}",
    )
    taken = await take_notice(services.database, notice, arrival)
    return {
        "case_id": taken.case_id or "",
        "outcome": taken.outcome,
        "payment_id": taken.payment_id,
    }
