"""The priced positions of an order: its lines, its charges, its discounts split over the rates.

Shipping and discounts share the fate of what they belong to (Abschn. 3.10 UStAE): without a rate of
their own they are split over the rates in proportion to the lines, by largest remainder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from domain.allocation_rounding import proportion
from domain.errors import Problem
from domain.money import minor_units, round_amount
from domain.order import Order, OrderLine

DISCOUNT = "discount"
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Position:
    """One taxed amount in the order's price mode: unrounded, negative for a discount.

    ``line`` is set for a line of goods; else ``charge`` tells a charge from a discount.
    """

    exact: Decimal
    rate: Decimal
    name: str
    charge: bool = False
    line: OrderLine | None = None


def positions_of(order: Order) -> tuple[Position, ...]:
    """List what the order's total is made of: lines first, then charges, then discounts.

    Left out is what costs nothing, like free shipping, unless it is a line. Discounts without a
    rate are split by what the discounts with one left of the lines; those greater than that, by
    lines and charges. What has no name is called by its kind: shipping, fee, discount.
    """
    lines = tuple(_lines(order))
    found = [*lines, *_charges(order, lines)]
    for discount in order.discounts:
        if discount.tax_rate is not None and discount.amount:
            name = discount.name or DISCOUNT
            found.append(Position(-discount.amount, discount.tax_rate, name))
    for discount in order.discounts:
        if discount.tax_rate is None and discount.amount:
            left = _sums((p for p in found if not p.charge), order.currency)
            if sum(left.values(), _ZERO) < discount.amount:
                left = _sums(found, order.currency)
            for rate, part in _split(discount.amount, left, order.currency):
                found.append(Position(-part, rate, discount.name or DISCOUNT))
    return tuple(found)


def _sums(positions: Iterable[Position], currency: str) -> dict[Decimal, Decimal]:
    """Add up the rounded amounts of each rate."""
    sums: dict[Decimal, Decimal] = {}
    for position in positions:
        amount = round_amount(position.exact, currency)
        sums[position.rate] = sums.get(position.rate, _ZERO) + amount
    return sums


def unpriceable(order: Order) -> tuple[Problem, ...]:
    """Name the fields without which there is no price; ``order_problems`` says more of each."""
    problems = [] if order.lines else [Problem("lines", "at least one position to invoice")]
    for number, line in enumerate(order.lines, 1):
        if line.quantity <= 0 or line.unit_price < 0:
            found = f"{line.quantity} x {line.unit_price}"
            problems.append(Problem(f"lines.{number}", "a positive quantity and price", found))
        if not 0 <= line.discount <= line.quantity * line.unit_price:
            expected = "a discount between zero and the price of the line"
            problems.append(Problem(f"lines.{number}.discount", expected, str(line.discount)))
        if line.tax_rate is None and _amount(line):
            problems.append(Problem(f"lines.{number}.tax_rate", "a tax rate in percent", "nothing"))
    for number, charge in enumerate(order.charges, 1):
        if not 0 <= charge.discount <= charge.amount:
            expected = "a discount between zero and the charge"
            problems.append(Problem(f"charges.{number}.discount", expected, str(charge.discount)))
    for number, discount in enumerate(order.discounts, 1):
        if discount.amount < 0:
            expected = "a positive amount: it is subtracted"
            problems.append(Problem(f"discounts.{number}.amount", expected, str(discount.amount)))
    return tuple(problems)


def overdrawn(order: Order) -> tuple[Problem, ...]:
    """Name the rates of which the order's discounts take more than there is."""
    return tuple(
        Problem(
            "discounts",
            f"no more than the positions at {rate:f} % tax come to",
            f"{-left:f} {order.currency} more",
            owner="accounting",
        )
        for rate, left in _sums(positions_of(order), order.currency).items()
        if left < 0
    )


def _amount(line: OrderLine) -> Decimal:
    """Return quantity x unit price less the line's discount, unrounded."""
    return line.quantity * line.unit_price - line.discount


def _lines(order: Order) -> Iterator[Position]:
    """Yield the lines; a free gift without a rate bears that of the goods it comes with."""
    sums: dict[Decimal, Decimal] = {}
    for line in order.lines:
        rate = line.tax_rate or _ZERO
        sums[rate] = sums.get(rate, _ZERO) + _amount(line)
    leading = max(sums, key=lambda rate: (sums[rate], rate), default=_ZERO)
    for line in order.lines:
        amount = _amount(line)
        rate = line.tax_rate or (_ZERO if amount else leading)
        yield Position(amount, rate, line.name, line=line)


def _charges(order: Order, lines: tuple[Position, ...]) -> Iterator[Position]:
    for charge in order.charges:
        amount, name = charge.amount - charge.discount, charge.name or charge.kind.value
        if not amount:
            continue
        if charge.tax_rate is not None:
            yield Position(amount, charge.tax_rate, name, charge=True)
            continue
        for rate, part in _split(amount, _sums(lines, order.currency), order.currency):
            yield Position(part, rate, name, charge=True)


def _split(
    amount: Decimal, weights: dict[Decimal, Decimal], currency: str
) -> Iterator[tuple[Decimal, Decimal]]:
    """Yield (rate, part) for every rate that bears a part, the highest rate first."""
    rates = sorted(weights, reverse=True)
    shares = [max(weights[rate], _ZERO) for rate in rates]
    step = Decimal(1).scaleb(-minor_units(currency))
    parts = proportion(round_amount(amount, currency), shares, step)
    return ((rate, part) for rate, part in zip(rates, parts, strict=True) if part)
