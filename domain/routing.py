"""Which way an order goes by product type and region (A10): the first rule that fits decides.

Rules are written by finance people (``domain.routing_file`` reads them). A rule can say who looks
after the order, that a person has to approve it, how many days the customer has, and how the books
and reports shall call it. It cannot change what the order says: prices, tax and buyer stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.order import CustomerKind, Order


@dataclass(frozen=True, slots=True)
class Conditions:
    """What an order must be like. Within one list any entry will do; all that are set must hold.

    ``sku_prefix`` and ``category`` hold if one position of the order fits. Country, region and
    postcode are those of the delivery, else of the invoice. ``amount_from`` (included) and
    ``amount_below`` (excluded) are gross, in ``currency``.
    """

    sku_prefix: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    postcode_prefix: tuple[str, ...] = ()
    channel: tuple[str, ...] = ()
    customer: CustomerKind | None = None
    currency: str = ""
    amount_from: Decimal | None = None
    amount_below: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its name, when it holds, and what it decides. What is empty is left as it was.

    ``approval`` is the reason why a person has to approve; ``cost_centre`` and ``tags`` are for the
    books and for reports.
    """

    name: str
    when: Conditions = Conditions()
    assignee: str = ""
    approval: str = ""
    terms_days: int | None = None
    cost_centre: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Routed:
    """What the rules decided for one order. ``rule`` is ``""`` where none fits."""

    rule: str = ""
    assignee: str = ""
    approval: str = ""
    terms_days: int | None = None
    cost_centre: str = ""
    tags: tuple[str, ...] = ()


def route(order: Order, rules: Iterable[Rule]) -> Routed:
    """Return what the first rule that fits decides; an empty decision if none does."""
    for rule in rules:
        if fits(order, rule.when):
            return Routed(
                rule=rule.name,
                assignee=rule.assignee,
                approval=rule.approval,
                terms_days=rule.terms_days,
                cost_centre=rule.cost_centre,
                tags=rule.tags,
            )
    return Routed()


def fits(order: Order, when: Conditions) -> bool:
    """Say whether everything that the conditions set holds for the order."""
    to = order.shipping if order.shipping.country else order.billing
    skus = [line.sku for line in order.lines]
    categories = [line.category for line in order.lines]
    return (
        _begins(skus, when.sku_prefix)
        and _is(categories, when.category)
        and _is([to.country], when.country)
        and _is([to.region], when.region)
        and _begins([to.postcode], when.postcode_prefix)
        and _is([order.channel], when.channel)
        and when.customer in {None, order.buyer.kind}
        and when.currency in {"", order.currency}
        and (when.amount_from is None or order.total >= when.amount_from)
        and (when.amount_below is None or order.total < when.amount_below)
    )


def why(routed: Routed) -> str:
    """Say in one clause what was decided and by which rule; ``""`` where no rule fits."""
    if not routed.rule:
        return ""
    to = f"routed to {routed.assignee}" if routed.assignee else "routed"
    more = [
        *([f"{routed.terms_days} days to pay"] if routed.terms_days is not None else []),
        *(["needs an approval"] if routed.approval else []),
        *([f"cost centre {routed.cost_centre}"] if routed.cost_centre else []),
        *([f"tags {', '.join(routed.tags)}"] if routed.tags else []),
    ]
    said = f" ({'; '.join(more)})" if more else ""
    return f"{to} by rule '{routed.rule}'{said}"


def approval_wanted(routed: Routed) -> str:
    """Say why a rule wants an approval, and which; ``""`` if none does."""
    return f"{routed.approval} (rule '{routed.rule}')" if routed.approval else ""


def _begins(values: list[str], wanted: tuple[str, ...]) -> bool:
    prefixes = tuple(prefix.casefold() for prefix in wanted)
    return not wanted or any(value.casefold().startswith(prefixes) for value in values if value)


def _is(values: list[str], wanted: tuple[str, ...]) -> bool:
    known = {value.casefold() for value in wanted}
    return not wanted or any(value.casefold() in known for value in values)
