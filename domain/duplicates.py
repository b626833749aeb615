"""Is this the same order again (A7)? Two digests answer: one for the buyer, one for the content.

Both are hexadecimal SHA-256 over canonical JSON, so they may be stored and compared for ever;
changing what goes in makes old and new digests differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from operator import attrgetter

from domain.money import plain_number
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
            "total": plain_number(order.total),
            "lines": sorted(_position(line) for line in order.lines),
        }
    )


def content_digest(order: Order) -> str:
    """Digest what was agreed: parties, positions, prices, totals, whether it stands or is a test.

    The payment part, the timestamps, the buyer's note, risk signals and our owner are left out:
    they may change while the order stays the same. So is what is empty, zero or false: a field that
    a later version of Zahltag adds does not change the digests of the orders that lack it.
    """
    return _digest(_said_of(order, _AGREED))


_LEFT_OUT = frozenset({"payment", "placed_at", "modified_at", "note", "risk_signals", "owner"})
_Reader = tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]


_READERS: dict[type, _Reader | None] = {}


def _reader(kind: type) -> _Reader | None:
    """Return how the fields of a dataclass are read; None for any other type."""
    if kind not in _READERS:
        names = [field.name for field in fields(kind)] if is_dataclass(kind) else []
        _READERS[kind] = _reading(names) if names else None
    return _READERS[kind]


def _reading(names: Sequence[str]) -> _Reader:
    in_order = tuple(sorted(names))  # so that there is nothing left to sort
    read = attrgetter(*in_order)
    return in_order, read if len(in_order) > 1 else lambda value: (read(value),)


_AGREED = _reading([field.name for field in fields(Order) if field.name not in _LEFT_OUT])


def _said_of(value: object, reader: _Reader) -> dict[str, object]:
    """Return those parts of a dataclass that say something, as JSON has them."""
    names, read = reader
    found = {}
    for name, part in zip(names, read(value), strict=True):
        if part:
            said = part if type(part) is str else _said(part)
            if said:
                found[name] = said
    return found


def _said(value: object) -> object:
    """Return the value as JSON has it, without those of its parts that say nothing."""
    if isinstance(value, Decimal):
        return plain_number(value)
    if isinstance(value, tuple):
        return [_said(part) for part in value]
    reader = _reader(type(value))
    return _said_of(value, reader) if reader else value


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
    return [what, *(plain_number(amount) for amount in amounts)]


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(_CANONICAL.encode(content).encode()).hexdigest()


_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str)
