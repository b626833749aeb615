"""The source ``crm``: a won deal with everything that belongs to it, gathered in one document.

``{"vendor": "hubspot", "deal": {...}, "line_items": [...], "companies": [...], "contacts": [...],
"tax_rates": [...]}`` or ``{"vendor": "pipedrive", "deal": {...}, "products": [...], ...}``, each
part verbatim as the vendor's API gives it: what ``connectors.crm`` fetches, and what a person may
submit. Webhooks carry ids only; ``starter.deals`` takes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.crm.settings import HUBSPOT, VENDORS, CrmSettings, defaults
from connectors.shops import hubspot_deal, pipedrive_deal
from connectors.shops.common import refused
from connectors.shops.port import (
    NO_HEADERS,
    Ignored,
    JsonObject,
    OrderEvent,
    ShopConnector,
    ShopEvent,
    content_id,
)
from connectors.signatures import SignatureError
from domain.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class CrmConnector:
    """Reads gathered deals, by the settings of its channel where it has one."""

    source = "crm"

    def __init__(self, settings: CrmSettings | None = None) -> None:
        self.settings = settings or CrmSettings()

    def verify(self, headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
        """Refuse: what each vendor signs, and how, ``connectors.crm.vendors`` knows."""
        del headers, body, secret, now
        raise SignatureError("Set the vendor of this channel before its CRM may call.")

    def event_id(self, headers: Mapping[str, str], document: JsonObject) -> str:
        """Return an id of the content: a gathered deal has no event of its own."""
        del headers
        return content_id(document)

    def read(
        self, document: JsonObject, *, channel: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> ShopEvent:
        """Read a gathered deal; one that is not won is ignored."""
        del headers
        vendor = document.get("vendor")
        if not isinstance(vendor, str) or vendor not in VENDORS:
            expected = f"the vendor whose deal it is: {' or '.join(VENDORS)}"
            raise refused("deal", Problem("vendor", expected, repr(vendor)[:40]))
        if self.settings.vendor not in {"", vendor}:
            expected = f"a deal of {self.settings.vendor}, as the channel {channel} is set"
            raise refused("deal", Problem("vendor", expected, vendor))
        settings = self.settings if self.settings.vendor else defaults(vendor)
        reader = hubspot_deal if vendor == HUBSPOT else pipedrive_deal
        found = reader.read_deal(document, settings, channel)
        return found if isinstance(found, Ignored) else OrderEvent(found)


def with_settings(connector: ShopConnector, settings: CrmSettings) -> ShopConnector:
    """Return the connector as a channel's settings want it; other sources have none."""
    return CrmConnector(settings) if isinstance(connector, CrmConnector) else connector
