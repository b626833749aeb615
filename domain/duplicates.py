"""Is this the same order again (A7)? Two digests answer: one for the buyer, one for the content.

Both are hexadecimal SHA-256 over canonical JSON, so they may be stored and compared for ever;
changing what goes in makes old and new digests differ.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, is_dataclass
from decimal import Decimal
from types import NoneType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    agreed = [name for name in _names(type(order)) if name not in _LEFT_OUT]
    return _digest(_said_of(order, agreed))


_LEFT_OUT = frozenset({"payment", "placed_at", "modified_at", "note", "risk_signals", "owner"})
_PLAIN = frozenset({str, Decimal, bool, NoneType})


_KNOWN_NAMES: dict[type, tuple[str, ...]] = {}


def _names(kind: type) -> tuple[str, ...]:
    """Return the names of a dataclass's fields; nothing for any other type."""
    if kind not in _KNOWN_NAMES:
        found = fields(kind) if is_dataclass(kind) else ()
        _KNOWN_NAMES[kind] = tuple(field.name for field in found)
    return _KNOWN_NAMES[kind]


def _said_of(value: object, names: Iterable[str]) -> dict[str, object]:
    """Return those parts of a dataclass that say something."""
    found = {}
    for name in names:
        part = getattr(value, name)
        if part and type(part) not in _PLAIN:
            part = _said(part)
        if part:
            found[name] = part
    return found


def _said(value: object) -> object:
    """Return the value without those of its parts that say nothing."""
    if isinstance(value, tuple):
        return [_said(part) for part in value]
    names = _names(type(value))
    return _said_of(value, names) if names else value


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
    return hashlib.sha256(_CANONICAL.encode(content).encode()).hexdigest()


def _as_json(value: object) -> str:
    return _plain(value) if isinstance(value, Decimal) else str(value)


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=_as_json)
