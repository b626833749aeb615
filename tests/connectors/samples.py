"""The sample orders, as documents and as bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from connectors.shops import SHOPS
from connectors.shops.port import Ignored, OrderEvent, parse_document
from domain.errors import RefusedError
from domain.order import Order

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "orders"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))
REFUSED = {
    "crm-open-deal",
    "crm-recurring",
    "zahltag-bad-currency",
    "zahltag-negative-quantity",
}


def body(name: str) -> bytes:
    """Return a sample as it would come over the wire."""
    return (SAMPLES / f"{name}.json").read_bytes()


def document(name: str) -> dict[str, Any]:
    """Return a sample as a document that a test may change."""
    loaded: dict[str, Any] = json.loads(body(name))
    return loaded


def read(name: str) -> Order:
    """Read a sample by its own connector."""
    return read_as(name.partition("-")[0], dict(parse_document(body(name))))


def read_as(source: str, changed: dict[str, Any]) -> Order:
    """Read a document that must be an order."""
    event = SHOPS[source].read(changed, channel="shop")
    if isinstance(event, Ignored):
        raise RefusedError(event.reason)
    assert isinstance(event, OrderEvent)
    return event.order
