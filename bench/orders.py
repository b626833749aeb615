"""The orders of the bench: the plain good sample, each with a buyer of its own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
TOTAL = "119.00"


def document(number: str) -> bytes:
    """Return an order over 119.00 EUR on account, as a shop sends it."""
    sample = _sample()
    buyer = sample["buyer"] | {"customer_id": f"C-{number}", "email": f"{number}@example.org"}
    order = sample | {
        "order_no": number,
        "external_id": number,
        "placed_at": now().isoformat(),
        "buyer": buyer,
    }
    return json.dumps(order).encode()


@cache
def _sample() -> dict[str, Any]:
    text = (SAMPLES / "orders" / "zahltag-ok.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)
