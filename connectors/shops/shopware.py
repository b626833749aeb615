"""Shopware 6: orders of the Admin API, and the webhooks of apps.

A webhook carries the order with the associations that its event happens to have, or ids only. What
is not a whole order becomes an ``OrderReference``: the order is to be fetched from the shop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.headers import header
from connectors.mapping import read_document
from connectors.shops.port import (
    NO_HEADERS,
    Ignored,
    JsonObject,
    OrderEvent,
    OrderReference,
    ShopEvent,
    content_id,
)
from connectors.shops.shopware_mapping import MAPPING
from connectors.shops.shopware_order import shopware_order
from connectors.signatures import verify_hmac_hex
from domain.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class ShopwareConnector:
    """Reads and checks what Shopware 6 sends."""

    source = "shopware"

    def verify(self, headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
        """Check ``shopware-shop-signature``, made with the secret of the app's registration."""
        del now
        verify_hmac_hex(headers, "shopware-shop-signature", body, secret)

    def event_id(self, headers: Mapping[str, str], document: JsonObject) -> str:
        """Return ``X-Shopware-Event-Id``, else ``source.eventId``: stable over retries."""
        source = document.get("source")
        inside = source.get("eventId") if isinstance(source, dict) else None
        named = inside if isinstance(inside, str) else ""
        return header(headers, "X-Shopware-Event-Id") or named or content_id(document)

    def read(
        self, document: JsonObject, *, channel: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> ShopEvent:
        """Read an order, an answer of the Admin API that holds one, or a webhook about one."""
        del headers
        data = document.get("data")
        if isinstance(data, dict) and isinstance(data.get("event"), str):
            return _from_webhook(data, channel)
        inner = data if isinstance(data, list) else document.get("elements")
        if isinstance(inner, list) and len(inner) == 1 and isinstance(inner[0], dict):
            document = inner[0]
        elif isinstance(data, dict):
            document = data
        if "attributes" in document:
            raise RefusedError("This is JSON:API: fetch the order with Accept: application/json.")
        return _read(document, channel)


def _from_webhook(data: JsonObject, channel: str) -> ShopEvent:
    event, payload = str(data["event"])[:100], data.get("payload")
    written = payload if isinstance(payload, list) else []
    for change in written:
        if isinstance(change, dict) and change.get("entity") == "order":
            return _reference(change.get("primaryKey"), event)
    order = payload.get("order") if isinstance(payload, dict) else None
    if not isinstance(order, dict):
        return Ignored(f"The event {event} is not about an order.")
    if not _is_whole(order):
        return _reference(order.get("id"), event)
    return _read(order, channel)


def _is_whole(order: JsonObject) -> bool:
    """Say whether the associations are there without which an order is none."""
    needed = ("lineItems", "currency", "orderCustomer", "deliveries", "transactions")
    billing = order.get("billingAddress") or order.get("addresses")
    return bool(billing) and all(order.get(name) is not None for name in needed)


def _reference(key: object, event: str) -> ShopEvent:
    external_id = key.get("id") if isinstance(key, dict) else key
    if not isinstance(external_id, str) or not external_id:
        return Ignored(f"The event {event} names no order.")
    return OrderReference(external_id[:100], event)


def _read(document: JsonObject, channel: str) -> ShopEvent:
    record = read_document(_with_billing_address(document), MAPPING, "Shopware order")
    return OrderEvent(shopware_order(record, ShopwareConnector.source, channel))


def _with_billing_address(document: JsonObject) -> JsonObject:
    """Put the billing address where the mapping reads it, if it came among ``addresses``."""
    addresses = document.get("addresses")
    if document.get("billingAddress") or not isinstance(addresses, list):
        return document
    wanted = document.get("billingAddressId")
    found = (one for one in addresses if isinstance(one, dict) and one.get("id") == wanted)
    return {**document, "billingAddress": next(found, None)}
