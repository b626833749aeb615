"""The lines, allowances and tax categories of a priced order, in the terms of EN 16931."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from domain.invoice import DocumentAllowance, InvoiceLine, TaxCategory
from domain.money import round_amount
from domain.order import Order, OrderLine, PriceMode
from domain.positions import Position
from domain.tax_check import EXPORT, INTRA_COMMUNITY

_ZERO = Decimal(0)
_SIX_DECIMALS = Decimal("0.000001")
_REVERSE_CHARGE = ("reverse charge", "reverse-charge", "steuerschuldnerschaft")


def tax_category(rate: Decimal, reason: str) -> TaxCategory:
    """Return BT-151: a rate above zero is standard (also a reduced one), 0 % goes by its reason.

    ``reason`` is one of ``domain.tax_check`` or the words of a person, of which only reverse charge
    is a category of its own (R21); any other makes it exempt, none at all zero rated.
    """
    if rate:
        return TaxCategory.STANDARD
    if any(words in reason.casefold() for words in _REVERSE_CHARGE):
        return TaxCategory.REVERSE_CHARGE
    known = {
        INTRA_COMMUNITY: TaxCategory.INTRA_COMMUNITY,
        EXPORT: TaxCategory.EXPORT,
        "": TaxCategory.ZERO,
    }
    return known.get(reason, TaxCategory.EXEMPT)


def allowance(
    position: Position, amount: Decimal, net: Decimal, kind: TaxCategory
) -> DocumentAllowance:
    """Make BG-20 or BG-21: both hold positive amounts."""
    sign = 1 if position.charge else -1
    return DocumentAllowance(
        charge=position.charge,
        reason=position.name,
        amount=sign * amount,
        net_amount=sign * net,
        tax_category=kind,
        tax_rate=position.rate,
    )


@dataclass(frozen=True, slots=True)
class LinePart:
    """What pricing found out about one line."""

    number: int
    amount: Decimal
    net: Decimal
    category: TaxCategory
    rate: Decimal


def invoice_line(line: OrderLine, part: LinePart, order: Order) -> InvoiceLine:
    """Make BG-25, with a net unit price that leads to the net (BT-131 = BT-129 x BT-146 - BT-136).

    Where rounding parts them, the allowance takes the cent if there is one, else the unit price.
    """
    gross = order.price_mode is PriceMode.GROSS
    unit_net = _price(line.unit_price / (1 + part.rate / 100) if gross else line.unit_price)
    full = round_amount(line.quantity * unit_net, order.currency)
    discount_net = max(full - part.net, _ZERO) if line.discount else _ZERO
    if full - discount_net != part.net:
        unit_net = _price((part.net + discount_net) / line.quantity)
    return InvoiceLine(
        position=part.number,
        name=line.name,
        sku=line.sku,
        quantity=line.quantity,
        unit_price=line.unit_price,
        discount=line.discount,
        amount=part.amount,
        unit_net_price=unit_net,
        discount_net=discount_net,
        net_amount=part.net,
        tax_category=part.category,
        tax_rate=part.rate,
        discount_reason=line.discount_reason,
    )


def _price(unit: Decimal) -> Decimal:
    """Return a unit price with at most six decimals."""
    rounded = unit.quantize(_SIX_DECIMALS, rounding=ROUND_HALF_UP)
    return unit if unit == rounded else rounded
