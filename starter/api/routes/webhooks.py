"""What shops, providers and banks send: signed, stored before it is answered, answered fast."""

from __future__ import annotations

from fastapi import APIRouter, Request

from connectors.crm.port import Delivery
from connectors.payments import read_payment
from connectors.shops import SHOPS
from connectors.signatures import verify_standard
from domain.errors import RefusedError
from models.store import channels, company
from models.store.intake import Arrival
from models.vault import Vault
from starter.api.errors import NotReadyError
from starter.api.inputs import Name, json_object
from starter.api.services import Json, Services, Uses, now
from starter.channel_secrets import PAYMENTS
from starter.deals import take_delivery
from starter.intake import take_webhook
from starter.receipts import take_notice

router = APIRouter()


@router.post("/webhooks/{channel}")
async def webhook(channel: Name, request: Request, services: Uses) -> Json:
    """Take in an order or a payment notice. 200 means: it is stored, and will have its effect."""
    source, secret = await _connection(services, channel)
    body, headers = await request.body(), request.headers
    if source == PAYMENTS:
        verify_standard(headers, body, secret, now())
        return await _payment(services, channel, body)
    if source == "crm":
        address = f"{services.settings.api_base_url}{request.url.path}"
        query = f"?{request.url.query}" if request.url.query else ""
        delivery = Delivery(request.method, f"{address}{query}", headers, body, now())
        outcome = await take_delivery(services.database, channel, secret, delivery)
        return {"case_id": "", "outcome": outcome}
    connector = SHOPS[source]
    connector.verify(headers, body, secret, now())
    taken = await take_webhook(
        services.database,
        connector,
        json_object(body),
        body,
        channel=channel,
        headers=headers,
        at=now(),
    )
    return {"case_id": taken.case_id, "outcome": taken.outcome}


async def _connection(services: Services, name: str) -> tuple[str, str]:
    """Return the channel's source and secret; without a company nothing can be taken in yet."""
    async with services.database.transaction() as session:
        channel = await channels.get(session, name)
        firm = await company.find(session)
    if firm is None:
        raise NotReadyError("No company is set yet: nothing can be taken in before.")
    if channel.source != PAYMENTS and channel.source not in SHOPS:
        raise NotReadyError(f"Nothing here reads what {channel.source} sends.")
    try:
        return channel.source, Vault(services.settings).open(channel.secret)
    except RefusedError as problem:  # ours to mend, not the sender's: it shall try again
        raise NotReadyError(problem.message) from problem


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
