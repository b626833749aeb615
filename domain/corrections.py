"""Corrections of an order that waits (``case correct FIELD=VALUE...``): all of them or none."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from domain.addresses import normalise_address
from domain.correction_fields import CORRECTABLE, Correctable
from domain.errors import Problem, RefusedError
from domain.pricing import with_total

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.order import Order

_NUMBERED = re.compile(r"(lines|charges|discounts)\.([1-9]\d{0,3})\.([a-z_]+)")


def correct(order: Order, changes: Mapping[str, str]) -> Order:
    """Return the order with every FIELD=VALUE applied, or RefusedError that names all bad ones.

    An empty value clears a text or date. Addresses are brought to one form again.
    """
    if not changes:
        raise RefusedError("Nothing was corrected: give at least one FIELD=VALUE.")
    problems: list[Problem] = []
    corrected = order
    for field, text in changes.items():
        how = correctable(order, field)
        if how is None:
            problems.append(Problem(field, _allowed(order, field), "no correctable field"))
            continue
        try:
            corrected = _put(corrected, field, how.read(text))
        except ValueError as error:
            problems.append(Problem(field, str(error), repr(text[:40])))
    if problems:
        findings = "; ".join(str(problem) for problem in problems)
        raise RefusedError(f"Nothing was corrected: {findings}.", tuple(problems))
    if order.shipping == order.billing and corrected.shipping == order.shipping:
        # One address given for both: what is mended in it is mended for both.
        corrected = replace(corrected, shipping=corrected.billing)
    corrected = replace(
        corrected,
        billing=normalise_address(corrected.billing),
        shipping=normalise_address(corrected.shipping),
    )
    return corrected if "total" in changes else with_total(corrected)


def correctable(order: Order, field: str) -> Correctable | None:
    """Return how a field of this order is corrected, ``None`` if it cannot be."""
    numbered = _NUMBERED.fullmatch(field)
    if not numbered:
        return None if ".N." in field else CORRECTABLE.get(field)
    group, number, part = numbered.groups()
    if int(number) > len(getattr(order, group)):
        return None
    return CORRECTABLE.get(f"{group}.N.{part}")


def _put(order: Order, field: str, value: object) -> Order:
    """Replace one value at ``total``, ``billing.city`` or ``lines.2.tax_rate``."""
    change: dict[str, Any]
    numbered = _NUMBERED.fullmatch(field)
    group, _, part = field.partition(".")
    if numbered:
        items = list(getattr(order, group))
        position = int(numbered[2]) - 1
        items[position] = replace(items[position], **{numbered[3]: value})
        change = {group: tuple(items)}
    elif part:
        change = {group: replace(getattr(order, group), **{part: value})}
    else:
        change = {field: value}
    return replace(order, **change)


def _allowed(order: Order, field: str) -> str:
    """Name what may be corrected: the fields of the group that was meant, else all groups."""
    group = field.split(".", maxsplit=1)[0]
    near = [name for name in CORRECTABLE if name.split(".")[0] == group]
    names = near or CORRECTABLE
    items = getattr(order, group, ()) if near else ()
    count = f" (N from 1 to {len(items)})" if isinstance(items, tuple) and items else ""
    return f"one of {', '.join(names)}{count}"
