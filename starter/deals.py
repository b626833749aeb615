"""Webhooks of a CRM: they name deals, nothing more. Stored and answered; fetched afterwards."""

from __future__ import annotations

import json

from connectors.crm.port import DealEvent, Delivery
from connectors.crm.settings import CrmSettings, read_settings
from connectors.crm.vendors import vendor_of
from domain.errors import NotJsonError, NotReadyError, RefusedError
from models.store import channels, fetches, intake
from models.store.database import Database
from models.store.intake import Arrival

IGNORED, KNOWN, FETCHING = "ignored", "known", "fetching"


async def take_delivery(database: Database, channel: str, secret: str, delivery: Delivery) -> str:
    """Check who calls, and note what has to be fetched.

    Returns ``fetching``, ``known`` (every event came before) or ``ignored`` (none may have won a
    deal; it leaves no trace).
    """
    async with database.transaction() as session:
        settings = read_settings((await channels.get(session, channel)).settings)
    try:
        vendor = vendor_of(channel, settings)
    except RefusedError as problem:  # ours to mend, not the sender's: it shall try again
        raise NotReadyError(problem.message) from problem
    vendor.verify(delivery, secret, settings)
    events = vendor.events(_json(delivery.body), settings)
    if not events:
        return IGNORED
    new = [await _take(database, channel, event, delivery) for event in events]
    return FETCHING if any(new) else KNOWN


async def _take(database: Database, channel: str, event: DealEvent, delivery: Delivery) -> bool:
    """Store one event with the order to fetch its deal; False if it came before.

    Each event is a transaction of its own: HubSpot sends a batch again as long as it is not
    answered with success, and those of the first try are known then.
    """
    arrival = Arrival(
        channel=channel,
        event_id=event.event_id,
        kind="deal_event",
        body=event.content,
        at=delivery.at,
        by=f"channel {channel}",
    )
    async with database.transaction() as session:
        if not await intake.remember(session, arrival):
            return False
        await fetches.request(session, channel, event.deal_id, event.event, delivery.at)
    return True


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(
            "The body is not JSON; send what the CRM's documentation says."
        ) from error


def settings_of(source: str, document: dict[str, object]) -> CrmSettings:
    """Read the settings given for a channel; only a CRM's has any."""
    if source != "crm" and document:
        raise RefusedError(f"A channel of the source {source} has no settings; leave them out.")
    return read_settings(document)
