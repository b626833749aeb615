"""Pipedrive: fetch a won deal, write back what became of it, check and read its webhooks.

API v2: Pipedrive has deprecated v1 of these calls. Documentation:
https://developers.pipedrive.com/docs/api/v1/Deals and .../DealProducts,
https://pipedrive.readme.io/docs/pipedrive-api-v2-migration-guide,
webhooks https://pipedrive.readme.io/docs/guide-for-webhooks-v2,
limits
https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from connectors.crm.http import CrmApi
from connectors.crm.port import (
    DEAL_ID,
    CrmAwayError,
    CrmRefusedError,
    DealEvent,
    Delivery,
    JsonObject,
)
from connectors.crm.settings import PIPEDRIVE, CrmSettings
from connectors.headers import header
from connectors.signatures import SignatureError
from domain.errors import RefusedError

_V2 = "/api/v2"
_BATCH = 100
_MOST_PAGES = 20
# What changes with every write, ours too.
_PARTS = ("data", "previous")
_NOISE = frozenset({"update_time", "custom_fields"})


@dataclass(frozen=True, slots=True)
class Pipedrive:
    """One Pipedrive account; the token is a user's API token."""

    api: CrmApi
    settings: CrmSettings

    @classmethod
    def connect(
        cls, channel: str, settings: CrmSettings, token: str, client: httpx.AsyncClient
    ) -> Pipedrive:
        """Return the connection of a channel."""
        headers = {"x-api-token": token, "Accept": "application/json"}
        return cls(CrmApi("Pipedrive", channel, settings.api_url, headers, client), settings)

    async def fetch(self, deal_id: str) -> JsonObject:
        """Gather the deal, its products and discounts, and whom it is with."""
        deal = await self._one(f"{_V2}/deals/{deal_id}")
        products = await self._all(f"{_V2}/deals/{deal_id}/products")
        return {
            "vendor": PIPEDRIVE,
            "deal": deal,
            "products": products,
            "product_details": await self._details(products),
            "discounts": await self._all(f"{_V2}/deals/{deal_id}/discounts"),
            "organization": await self._party("organizations", deal.get("org_id")),
            "person": await self._party("persons", deal.get("person_id")),
        }

    async def update(self, deal_id: str, values: Mapping[str, str]) -> None:
        """Set the custom fields that the channel's ``writes`` names; nothing said clears one."""
        writes = self.settings.writes
        fields = {writes[name]: value or None for name, value in values.items() if name in writes}
        await self.api.call("PATCH", f"{_V2}/deals/{deal_id}", body={"custom_fields": fields})

    async def _one(self, path: str) -> JsonObject:
        data = (await self.api.call("GET", path)).get("data")
        if not isinstance(data, dict):
            raise CrmAwayError("Pipedrive answered without the data that were asked for.")
        return data

    async def _party(self, kind: str, number: object) -> JsonObject | None:
        known = DEAL_ID.fullmatch(str(number))
        return await self._one(f"{_V2}/{kind}/{number}") if known else None

    async def _all(self, path: str, query: Mapping[str, str] | None = None) -> list[JsonObject]:
        found: list[JsonObject] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            asked = {"limit": "500", **(query or {}), **({"cursor": cursor} if cursor else {})}
            page = await self.api.call("GET", path, query=asked)
            data = page.get("data") or []
            if not isinstance(data, list):
                raise CrmAwayError("Pipedrive answered without the list that was asked for.")
            found += [one for one in data if isinstance(one, dict)]
            more = page.get("additional_data")
            cursor = str(more.get("next_cursor") or "") if isinstance(more, dict) else ""
            if not cursor:
                return found
        raise CrmRefusedError(f"The deal has more than {len(found)} products: that is no deal.")

    async def _details(self, products: list[JsonObject]) -> list[JsonObject]:
        """Fetch the products themselves: their numbers and categories stand there alone."""
        named = dict.fromkeys(str(one.get("product_id")) for one in products)
        ids = [one for one in named if DEAL_ID.fullmatch(one)]
        found: list[JsonObject] = []
        for first in range(0, len(ids), _BATCH):
            part = ",".join(ids[first : first + _BATCH])
            found += await self._all(f"{_V2}/products", {"ids": part})
        return found


def verify(delivery: Delivery, secret: str, settings: CrmSettings) -> None:
    """Check the HTTP Basic credentials: Pipedrive signs nothing, so the address must be https."""
    given = header(delivery.headers, "Authorization")
    scheme, _, encoded = given.partition(" ")
    expected = f"{settings.webhook_user}:{secret}".encode()
    try:
        shown = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        shown = b""
    if scheme.casefold() != "basic" or not hmac.compare_digest(shown, expected):
        raise SignatureError(
            "The user name or password of the webhook is wrong or missing: they are webhook_user of"
            " the channel's settings and the channel's secret (HTTP authentication)."
        )


def events(found: object, settings: CrmSettings) -> list[DealEvent]:
    """Return the event if it may have won a deal, or changed one that is won."""
    meta = found.get("meta") if isinstance(found, dict) else None
    if not isinstance(meta, dict):
        raise RefusedError("The body is no event of webhooks v2: it has no `meta`.")
    if meta.get("entity") != "deal" or meta.get("action") not in {"create", "change"}:
        return []
    data, previous = (found.get(part) if isinstance(found, dict) else None for part in _PARTS)
    if not isinstance(data, dict) or data.get("status") != "won" or _is_echo(previous, settings):
        return []
    deal_id, event_id = str(meta.get("entity_id") or data.get("id")), str(meta.get("id") or "")
    if not DEAL_ID.fullmatch(deal_id) or not 0 < len(event_id) <= 100:
        raise RefusedError("The event names no deal: meta.id and meta.entity_id must be there.")
    steady = {name: value for name, value in meta.items() if name != "attempt"}
    content = {"meta": steady, "data": data, "previous": previous}
    return [
        DealEvent(
            deal_id=deal_id,
            event=f"{meta['action']}.deal",
            event_id=event_id,
            content=json.dumps(content, sort_keys=True).encode(),
        )
    ]


def _is_echo(previous: object, settings: CrmSettings) -> bool:
    """Say whether nothing changed but the fields that we write: the echo of our own update."""
    if not isinstance(previous, dict) or not previous or not set(previous) <= _NOISE:
        return False
    custom = previous.get("custom_fields")
    changed = set(custom) if isinstance(custom, dict) else set()
    return changed <= set(settings.writes.values())
