"""HubSpot: fetch a won deal, write back what became of it, check and read its webhooks.

Documentation: deals and associations https://developers.hubspot.com/docs/api-reference/crm-deals-v3/guide,
line items .../crm-line-items-v3/guide, tax library .../legacy/account/settings/tax-rates,
signatures https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests,
limits https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from connectors.crm.http import CrmApi
from connectors.crm.hubspot_mapping import properties
from connectors.crm.port import (
    DEAL_ID,
    CrmAwayError,
    CrmRefusedError,
    DealEvent,
    Delivery,
    JsonObject,
)
from connectors.crm.settings import HUBSPOT, CrmSettings
from connectors.headers import header
from connectors.signatures import TOLERANCE, SignatureError
from domain.errors import RefusedError

_OBJECTS = "/crm/v3/objects"
# Our name of a part, HubSpot's path, and the keys under which a deal lists it.
_PARTS = (
    ("line_items", "line_items", ("line items", "line_items")),
    ("companies", "companies", ("companies",)),
    ("contacts", "contacts", ("contacts",)),
)
_BATCH = 100
_MOST_PAGES = 20
# HubSpot signs the address with these characters decoded, and everything else as it is.
_DECODED = {
    "%3A": ":",
    "%2F": "/",
    "%3F": "?",
    "%40": "@",
    "%21": "!",
    "%24": "$",
    "%27": "'",
    "%28": "(",
    "%29": ")",
    "%2A": "*",
    "%2C": ",",
    "%3B": ";",
}


@dataclass(frozen=True, slots=True)
class HubSpot:
    """One HubSpot account; the token is that of a private app."""

    api: CrmApi
    settings: CrmSettings

    @classmethod
    def connect(
        cls, channel: str, settings: CrmSettings, token: str, client: httpx.AsyncClient
    ) -> HubSpot:
        """Return the connection of a channel."""
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return cls(CrmApi("HubSpot", channel, settings.api_url, headers, client), settings)

    async def fetch(self, deal_id: str) -> JsonObject:
        """Gather the deal, its line items and parties, and the tax rates that they use."""
        deal = await self.api.call(
            "GET",
            f"{_OBJECTS}/deals/{deal_id}",
            query={
                "properties": ",".join(properties(self.settings, "deal")),
                "associations": ",".join(path for _, path, _ in _PARTS),
            },
        )
        document: dict[str, object] = {"vendor": HUBSPOT, "deal": deal}
        for name, path, keys in _PARTS:
            ids = await self._associated(deal_id, deal, path, keys)
            document[name] = await self._read(path, ids, properties(self.settings, name))
        document["tax_rates"] = await self._tax_rates(document["line_items"])
        return document

    async def update(self, deal_id: str, values: Mapping[str, str]) -> None:
        """Set the properties that the channel's ``writes`` names."""
        writes = self.settings.writes
        fields = {writes[name]: value for name, value in values.items() if name in writes}
        await self.api.call("PATCH", f"{_OBJECTS}/deals/{deal_id}", body={"properties": fields})

    async def _associated(
        self, deal_id: str, deal: JsonObject, path: str, keys: tuple[str, ...]
    ) -> list[str]:
        """Return the ids of one kind; those that did not fit into the deal are listed in pages."""
        groups = deal.get("associations")
        known = groups if isinstance(groups, dict) else {}
        found = next((known[key] for key in keys if key in known), None)
        if not _next(found):
            return list(_ids(found, "id"))
        ids: list[str] = []
        after = ""
        for _ in range(_MOST_PAGES):
            page = await self.api.call(
                "GET",
                f"/crm/v4/objects/deals/{deal_id}/associations/{path}",
                query={"limit": "500", **({"after": after} if after else {})},
            )
            ids += _ids(page, "toObjectId")
            after = _next(page)
            if not after:
                return list(dict.fromkeys(ids))
        raise CrmRefusedError(f"The deal has more than {len(ids)} {path}: that is no deal.")

    async def _read(self, path: str, ids: list[str], wanted: list[str]) -> list[object]:
        """Read objects by their ids, a hundred at a time, in the order of the ids."""
        known: dict[str, object] = {}
        for first in range(0, len(ids), _BATCH):
            part = ids[first : first + _BATCH]
            answer = await self.api.call(
                "POST",
                f"{_OBJECTS}/{path}/batch/read",
                body={"properties": wanted, "inputs": [{"id": one} for one in part]},
            )
            known.update({str(one["id"]): one for one in _objects(answer) if "id" in one})
        if missing := [one for one in ids if one not in known]:
            # Changed between two calls, or hidden: half a deal must not become an invoice.
            raise CrmAwayError(f"HubSpot did not return {len(missing)} of the deal's {path}.")
        return [known[one] for one in ids]

    async def _tax_rates(self, line_items: object) -> list[object]:
        """Fetch the rates of tax keys that the settings do not explain; unknown ones stay open."""
        lines = line_items if isinstance(line_items, list) else []
        keys = {str(line["properties"].get("hs_tax_rate_group_id") or "") for line in lines}
        found: list[object] = []
        for key in sorted(keys - {""} - set(self.settings.tax_rates)):
            if not DEAL_ID.fullmatch(key):
                continue
            try:
                found.append(await self.api.call("GET", f"/tax-rates/v1/tax-rates/{key}"))
            except CrmRefusedError as error:
                if error.status not in {403, 404}:
                    raise
        return found


def verify(delivery: Delivery, secret: str, settings: CrmSettings) -> None:
    """Check ``X-HubSpot-Signature-v3``: HMAC-SHA256 over method, address, body and time, base64.

    The address is the one that HubSpot calls, which behind a proxy is not the one we hear.
    """
    given = header(delivery.headers, "X-HubSpot-Signature-v3")
    sent = header(delivery.headers, "X-HubSpot-Request-Timestamp")
    if not given or not sent:
        raise SignatureError(
            "The header X-HubSpot-Signature-v3 or X-HubSpot-Request-Timestamp is missing:"
            " unsigned messages are refused."
        )
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 15):
        raise SignatureError("X-HubSpot-Request-Timestamp is no number of milliseconds.")
    sent_at = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(sent))
    if abs(delivery.at - sent_at) > TOLERANCE:
        raise SignatureError(
            "X-HubSpot-Request-Timestamp is more than five minutes off: check the clocks."
        )
    address = _signed_address(settings.webhook_url or delivery.address)
    signed = b"".join((delivery.method.encode(), address.encode(), delivery.body, sent.encode()))
    expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())
    if not hmac.compare_digest(given.encode("utf-8", "replace"), expected):
        raise SignatureError(
            "The signature in X-HubSpot-Signature-v3 does not fit: check the client secret of the"
            " app, and that HubSpot calls exactly the address that `zahltag channel list` shows, or"
            " the webhook_url of the channel's settings."
        )


def _signed_address(address: str) -> str:
    path, question, query = address.partition("?")
    for code, mark in _DECODED.items():
        path = path.replace(code, mark).replace(code.lower(), mark)
    return f"{path}{question}{query}"


def events(found: object, settings: CrmSettings) -> list[DealEvent]:
    """Return those events of the call (HubSpot sends up to a hundred) that may have won a deal."""
    if (
        not isinstance(found, list)
        or len(found) > 1000
        or not all(isinstance(one, dict) for one in found)
    ):
        raise RefusedError("The body is no list of events; HubSpot sends a list of objects.")
    return [_event(one) for one in found if _may_win(one, settings)]


def _may_win(event: JsonObject, settings: CrmSettings) -> bool:
    kind = str(event.get("subscriptionType"))
    deal = kind.startswith("deal.") or event.get("objectTypeId") == "0-3"
    if not deal or not kind.endswith((".propertyChange", ".creation")):
        return False
    name, value = event.get("propertyName"), event.get("propertyValue")
    if kind.endswith(".propertyChange") and name not in {"dealstage", "hs_is_closed_won"}:
        return False
    if name == "hs_is_closed_won":
        return value == "true"
    return name is None or not settings.won_stages or value in settings.won_stages


def _event(event: JsonObject) -> DealEvent:
    deal_id = str(event.get("objectId"))
    if not DEAL_ID.fullmatch(deal_id):
        raise RefusedError("An event of the call names no deal: objectId must be a number.")
    names = ("portalId", "subscriptionId", "eventId", "occurredAt")
    content = {name: value for name, value in event.items() if name != "attemptNumber"}
    return DealEvent(
        deal_id=deal_id,
        event=str(event["subscriptionType"])[:60],
        event_id=":".join(str(event.get(name, ""))[:30] for name in names) + f":{deal_id}",
        content=json.dumps(content, sort_keys=True).encode(),
    )


def _objects(page: object) -> Iterator[dict[str, object]]:
    results = page.get("results") if isinstance(page, dict) else None
    for one in results if isinstance(results, list) else ():
        if isinstance(one, dict):
            yield one


def _ids(page: object, name: str) -> Iterator[str]:
    found = dict.fromkeys(str(one.get(name)) for one in _objects(page))
    return (one for one in found if DEAL_ID.fullmatch(one))


def _next(page: object) -> str:
    """Return the cursor of the next page, ``""`` on the last one."""
    paging = page.get("paging") if isinstance(page, dict) else None
    following = paging.get("next") if isinstance(paging, dict) else None
    after = following.get("after") if isinstance(following, dict) else None
    return str(after) if after else ""
