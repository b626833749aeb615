"""What shops, providers, banks and mail services send: signed, and stored before it is answered.

A way in of its own beside the routes and the layers around them: what these work out for every call
costs as much as reading an order does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.common import MetricMeter

from connectors.bounce_webhook import SOURCES as MAIL_REPORTS
from connectors.bounce_webhook import verify_report
from connectors.crm.port import Delivery
from connectors.payments import read_payment
from connectors.shops import SHOPS
from connectors.signatures import verify_standard
from domain.errors import NotFoundError, RefusedError
from models.store.intake import Arrival
from starter.api.errors import Guard, http_refusal, refusal
from starter.api.inputs import json_object
from starter.api.limits import BodyLimit
from starter.channel_secrets import PAYMENTS
from starter.connections import Connection
from starter.deals import take_delivery
from starter.intake import CHANNEL_NAME, Taken, read_webhook
from starter.mail_reports import take_report
from starter.metrics import KIND, CountWebhooks
from starter.receipts import take_notice
from starter.services import Json, Services, now

PREFIX = "/webhooks/"
CRM = "crm"


def webhook_door(services: Services, meter: MetricMeter) -> ASGIApp:
    """Return what answers ``POST /webhooks/<channel>``, with the layers that it needs."""
    limited = BodyLimit(_Webhooks(services), services.settings.max_body_bytes)
    return Guard(CountWebhooks(limited, meter))


class _Webhooks:
    """The innermost: takes in what is sent to a channel."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take it in and answer."""
        try:
            taken = await _take(self._services, scope, receive)
        except RefusedError as error:
            await refusal(error)(scope, receive, send)
        except HTTPException as error:
            await http_refusal(error)(scope, receive, send)
        else:
            await _accepted(send, taken)


async def _accepted(send: Send, taken: Json) -> None:
    body = json.dumps(taken).encode()
    length = str(len(body)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _take(services: Services, scope: Scope, receive: Receive) -> Json:
    """Take in an order or a payment notice. 200 means: it is stored, and will have its effect."""
    if scope["method"] != "POST":
        raise HTTPException(405)
    channel = scope["path"].removeprefix(PREFIX)
    if not CHANNEL_NAME.fullmatch(channel):
        raise NotFoundError(f"There is no channel {channel[:60]!r}.")
    connection = await services.connections.of(channel)
    scope[KIND] = connection.source
    body, headers = await _body(receive), _headers(scope)
    if connection.source == PAYMENTS:
        verify_standard(headers, body, connection.secret, now())
        return await _payment(services, channel, body)
    if connection.source == CRM:
        delivery = Delivery(scope["method"], _address(services, scope), headers, body, now())
        outcome = await take_delivery(services.database, channel, connection.secret, delivery)
        return {"case_id": "", "outcome": outcome}
    if connection.source in MAIL_REPORTS:
        return await _mail_report(services, channel, connection, body, headers)
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


async def _mail_report(
    services: Services,
    channel: str,
    connection: Connection,
    body: bytes,
    headers: Mapping[str, str],
) -> Json:
    document = json_object(body)
    verify_report(connection.source, headers, body, document, connection.secret, now())
    outcome = await take_report(
        services.database, connection.source, document, channel=channel, at=now()
    )
    return {"case_id": "", "outcome": outcome}
