"""What an order costs, in EN 16931's arithmetic (R33), to the cent the shop charged (E2, E5, R34).

Gross prices: per rate the net is the rounded sum of gross / (1 + rate) and the tax the rounded net
x rate; the cent that may be missing to the gross sum is BT-114. Net prices: rounded lines, tax per
rate on the sum. A shop that rounds otherwise is followed where its total is exactly that of a named
method; any other total is a deviation for a person (E12), never a silent cent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from domain.allocation_rounding import distribute
from domain.errors import Problem, RefusedError
from domain.invoice import (
    DocumentAllowance,
    InvoiceLine,
    RoundingMethod,
    TaxSubtotal,
    Totals,
)
from domain.money import minor_units, round_amount
from domain.order import Order, PriceMode
from domain.positions import Position, overdrawn, positions_of, unpriceable
from domain.priced_lines import LinePart, allowance, invoice_line, tax_category

_NET_METHODS = tuple(RoundingMethod)
_GROSS_METHODS = (RoundingMethod.TAX_PER_RATE, RoundingMethod.LINES_UNROUNDED)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Priced:
    """The figures of an invoice before it is one: nothing paid yet (BT-113 is 0)."""

    lines: tuple[InvoiceLine, ...]
    allowances: tuple[DocumentAllowance, ...]
    taxes: tuple[TaxSubtotal, ...]
    totals: Totals
    method: RoundingMethod = RoundingMethod.TAX_PER_RATE


def price(order: Order, zero_reason: str = "") -> Priced:
    """Compute every figure, by the rounding method that gives the shop's total.

    If none does, by the standard's own method: ``total_problems`` then names the difference.
    ``zero_reason`` (BT-120) is why positions at 0 % bear no tax where no line says it itself.
    RefusedError for an order that has no price: a position without a rate, a negative one, a
    discount greater than what it is taken from.
    """
    if problems := unpriceable(order) or overdrawn(order):
        raise RefusedError(f"The order cannot be priced: {problems[0]}", problems)
    methods = _GROSS_METHODS if order.price_mode is PriceMode.GROSS else _NET_METHODS
    for method in methods:
        priced = _priced(order, method, zero_reason)
        if priced.totals.charged == order.total and all(t.taxable >= 0 for t in priced.taxes):
            return priced
    return _priced(order, RoundingMethod.TAX_PER_RATE, zero_reason)


def total_problems(order: Order) -> tuple[Problem, ...]:
    """Compare the shop's total and tax with ours; both figures stand in each problem.

    The total must be met exactly. The shop's tax may differ by what rounding it per position can
    explain (one minor unit each): the invoice bears our tax, which is right for the total. An order
    with an unsound field has no total yet: ``order_problems`` names that field.
    """
    if unpriceable(order):
        return ()
    if problems := overdrawn(order):
        return problems
    priced = price(order)
    totals, currency = priced.totals, order.currency
    if totals.charged != order.total:
        ours = (
            f"{totals.charged} {currency} by its positions (net {totals.net}, tax {totals.tax}), "
            "or what a known rounding method makes of them"
        )
        return (_deviation("total", ours, f"{order.total} {currency}"),)
    if order.net_total is not None and totals.net != order.net_total:
        ours = f"{totals.net} {currency}, the net sum of its positions"
        return (_deviation("net_total", ours, f"{order.net_total} {currency}"),)
    count = len(priced.lines) + len(priced.allowances) + 1
    tolerance = count * _step(currency)
    if order.total_tax is not None and abs(order.total_tax - totals.tax) > tolerance:
        ours = f"{totals.tax} {currency} tax by its rates, give or take {tolerance} for rounding"
        return (_deviation("total_tax", ours, f"{order.total_tax} {currency}"),)
    return ()


def with_total(order: Order) -> Order:
    """Return the order with the total of its positions, where its source names only a net one.

    As long as a position has no tax rate, the total is the net one: nothing is made of it before.
    """
    if order.net_total is None:
        return order
    if unpriceable(order) or overdrawn(order):
        return replace(order, total=order.net_total)
    # No total is -1: so the standard's own rounding method is taken.
    return replace(order, total=price(replace(order, total=Decimal(-1))).totals.charged)


def _deviation(field: str, expected: str, found: str) -> Problem:
    return Problem(field, expected, found, kind="tax_deviation", owner="accounting")


def _step(currency: str) -> Decimal:
    """Return the currency's minor unit: 0.01 EUR, 1 JPY."""
    return Decimal(1).scaleb(-minor_units(currency))


def _priced(order: Order, method: RoundingMethod, zero_reason: str) -> Priced:
    positions = positions_of(order)
    amounts = _amounts(positions, method, order.currency)
    nets = _nets(order, positions, amounts)
    said = dict.fromkeys(line.tax_reason for line in order.lines if line.tax_reason)
    reason = "; ".join(said) or zero_reason
    taxes = tuple(
        TaxSubtotal(
            category=tax_category(rate, reason),
            rate=rate,
            taxable=taxable,
            tax=_tax(taxable, rate, order.currency),
            exemption_reason="" if rate else reason,
        )
        for rate, taxable in _taxable(positions, nets)
    )
    lines: list[InvoiceLine] = []
    allowances: list[DocumentAllowance] = []
    for position, amount, net in zip(positions, amounts, nets, strict=True):
        kind = tax_category(position.rate, reason)
        if position.line is not None:
            part = LinePart(len(lines) + 1, amount, net, kind, position.rate)
            lines.append(invoice_line(position.line, part, order))
        else:
            allowances.append(allowance(position, amount, net, kind))
    charged = _charged(order, positions, amounts, method)
    totals = _totals(lines, allowances, taxes, charged, _step(order.currency))
    return Priced(tuple(lines), tuple(allowances), taxes, totals, method)


def _taxable(
    positions: Sequence[Position], nets: Sequence[Decimal]
) -> list[tuple[Decimal, Decimal]]:
    """Return BT-116 of each rate, the highest rate first."""
    sums: dict[Decimal, Decimal] = {}
    for position, net in zip(positions, nets, strict=True):
        sums[position.rate] = sums.get(position.rate, _ZERO) + net
    return sorted(sums.items(), reverse=True)


def _tax(taxable: Decimal, rate: Decimal, currency: str) -> Decimal:
    """Return BT-117: BT-116 x rate / 100, rounded commercially."""
    return round_amount(taxable * rate / 100, currency)


def _amounts(
    positions: Sequence[Position], method: RoundingMethod, currency: str
) -> tuple[Decimal, ...]:
    """Return what each position costs in the order's price mode, in whole minor units, signed."""
    exact = [position.exact for position in positions]
    if method in {RoundingMethod.TAX_PER_RATE, RoundingMethod.TAX_PER_LINE}:
        return tuple(round_amount(amount, currency) for amount in exact)
    return distribute(round_amount(sum(exact, _ZERO), currency), exact, _step(currency))


def _nets(
    order: Order, positions: Sequence[Position], amounts: Sequence[Decimal]
) -> tuple[Decimal, ...]:
    """Return each position's net so that every rate's nets sum to the net of the rate's sum."""
    if order.price_mode is PriceMode.NET:
        return tuple(amounts)
    nets = list(amounts)
    for rate in {position.rate for position in positions}:
        members = [index for index, position in enumerate(positions) if position.rate == rate]
        factor = 1 + rate / 100
        gross = sum((amounts[index] for index in members), _ZERO)
        exact = [amounts[index] / factor for index in members]
        total = round_amount(gross / factor, order.currency)
        for index, net in zip(
            members, distribute(total, exact, _step(order.currency)), strict=True
        ):
            nets[index] = net
    return tuple(nets)


def _charged(
    order: Order,
    positions: Sequence[Position],
    amounts: Sequence[Decimal],
    method: RoundingMethod,
) -> Decimal:
    """Return what a shop that rounds by ``method`` charges in all."""
    whole, currency = sum(amounts, _ZERO), order.currency
    if order.price_mode is PriceMode.GROSS:
        return whole
    if method is RoundingMethod.TOTAL_ROUNDED_ONCE:
        exact = sum((p.exact * (1 + p.rate / 100) for p in positions), _ZERO)
        return round_amount(exact, currency)
    if method is RoundingMethod.TAX_PER_LINE:
        pairs = zip(positions, amounts, strict=True)
        return whole + sum((_tax(a, p.rate, currency) for p, a in pairs), _ZERO)
    bases: dict[Decimal, Decimal] = {}
    for position, amount in zip(positions, amounts, strict=True):
        base = position.exact if method is RoundingMethod.LINES_UNROUNDED else amount
        bases[position.rate] = bases.get(position.rate, _ZERO) + base
    return whole + sum((_tax(base, rate, currency) for rate, base in bases.items()), _ZERO)


def _totals(
    lines: Sequence[InvoiceLine],
    allowances: Sequence[DocumentAllowance],
    taxes: Sequence[TaxSubtotal],
    charged: Decimal,
    step: Decimal,
) -> Totals:
    """Add up BG-22 by BR-CO-10 to BR-CO-16; the gap to what was charged is BT-114.

    Sums start from zero in the minor unit's scale, so that nothing reads "0E+2" or "0".
    """
    zero = _ZERO.quantize(step)
    line_sum = sum((line.net_amount for line in lines), zero)
    reductions = sum((a.net_amount for a in allowances if not a.charge), zero)
    charges = sum((a.net_amount for a in allowances if a.charge), zero)
    net = line_sum - reductions + charges
    tax = sum((subtotal.tax for subtotal in taxes), zero)
    return Totals(
        lines=line_sum,
        allowances=reductions,
        charges=charges,
        net=net,
        tax=tax,
        gross=net + tax,
        prepaid=zero,
        rounding=charged - (net + tax),
        payable=charged,
    )
