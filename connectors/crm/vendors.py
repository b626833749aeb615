"""Which vendor a channel is a connection to: its API, its signature, its events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from connectors.crm import hubspot, pipedrive
from connectors.crm.http import make_client
from connectors.crm.port import CrmConnection, DealEvent, Delivery
from connectors.crm.settings import HUBSPOT, PIPEDRIVE, CrmSettings
from domain.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Vendor:
    """What one vendor does its own way."""

    connect: Callable[[str, CrmSettings, str, httpx.AsyncClient], CrmConnection]
    verify: Callable[[Delivery, str, CrmSettings], None]
    events: Callable[[object, CrmSettings], list[DealEvent]]


_VENDORS: Mapping[str, Vendor] = {
    HUBSPOT: Vendor(hubspot.HubSpot.connect, hubspot.verify, hubspot.events),
    PIPEDRIVE: Vendor(pipedrive.Pipedrive.connect, pipedrive.verify, pipedrive.events),
}


def vendor_of(channel: str, settings: CrmSettings) -> Vendor:
    """Return the channel's vendor; RefusedError if none is set."""
    if settings.vendor not in _VENDORS:
        raise RefusedError(
            f"The channel {channel} names no vendor yet: set one with"
            f" `zahltag channel set {channel} --source crm --settings FILE`."
        )
    return _VENDORS[settings.vendor]


@asynccontextmanager
async def connected(
    channel: str, settings: CrmSettings, token: str
) -> AsyncIterator[CrmConnection]:
    """Open the connection to a channel's API; RefusedError without a vendor or a token."""
    vendor = vendor_of(channel, settings)
    if not token:
        raise RefusedError(
            f"The channel {channel} has no API token yet: set one with"
            f" `zahltag channel set {channel} --source crm --token-file FILE`."
        )
    async with make_client() as client:
        yield vendor.connect(channel, settings, token, client)
