"""Is this the same order again (A7)? Two digests answer: one for the buyer, one for the content.

Both are hexadecimal SHA-256 over canonical JSON, so they may be stored and compared for ever;
changing what goes in makes old and new digests differ.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.order import Order, OrderLine


def fingerprint(order: Order) -> str:
    """Digest who buys what for how much, without the order number, channel, time or line order.

    Two orders with one fingerprint that come within ten minutes are one order given twice (a double
    click, a reload of the checkout) until a person says otherwise.
    """
    return _digest(
        {
            "customer": _customer(order),
            "currency": order.currency,
            "total": _plain(order.total),
            "lines": sorted(_position(line) for line in order.lines),
        }
    )


def content_digest(order: Order) -> str:
    """Digest what was agreed: parties, positions, prices, totals, whether it stands or is a test.

    The payment part, the timestamps, the buyer's note, risk signals and our owner are left out:
    they may change while the order stays the same. So is what is empty, zero or false: a field that
    a later version of Zahltag adds does not change the digests of the orders that lack it.
    """
    content = asdict(order)
    for part in ("payment", "placed_at", "modified_at", "note", "risk_signals", "owner"):
        del content[part]
    return _digest({name: _said(value) for name, value in content.items() if _said(value)})


def _said(value: object) -> object:
    """Return the value without those of its parts that say nothing."""
    if isinstance(value, dict):
        return {name: _said(part) for name, part in value.items() if _said(part)}
    if isinstance(value, list | tuple):
        return [_said(part) for part in value]
    return value


def _customer(order: Order) -> str:
    """Identify the buyer, guests too: by e-mail, else the shop's id, else name and place."""
    buyer, billing = order.buyer, order.billing
    if buyer.email:
        return buyer.email.casefold()
    if buyer.external_id:
        return f"{order.channel}/{buyer.external_id}"
    name = billing.company or billing.name or buyer.company or buyer.name
    return f"{name}/{billing.street}/{billing.postcode}".casefold()


def _position(line: OrderLine) -> list[str]:
    what = line.sku or line.name
    amounts = (line.quantity, line.unit_price, line.discount)
    return [what, *(_plain(amount) for amount in amounts)]


def _plain(number: Decimal) -> str:
    """Write equal numbers equally: 1, 1.0 and 1.00 are ``1``; there is no negative zero."""
    return f"{number.normalize():f}" if number else "0"


def _digest(content: dict[str, object]) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=_as_json)
    return hashlib.sha256(text.encode()).hexdigest()


def _as_json(value: object) -> str:
    return _plain(value) if isinstance(value, Decimal) else str(value)
