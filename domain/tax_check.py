"""Whether every position bears a tax that can be right there and then (E6, E12).

The country of supply is where the goods go. In the EU the rates of the seller's own country are
allowed too: below the threshold of par. 3a (5) UStG (EUR 10,000) they are the right ones. A tax of
0 percent needs a reason that the order itself shows, or one that a person gave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from domain.errors import Problem
from domain.order import CustomerKind, Order
from domain.tax_rates import EU, rates_on, vat_country
from domain.vat_ids import vat_id_country, vat_id_expectation

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

    from domain.company import Company

INTRA_COMMUNITY = "intra-Community supply"
EXPORT = "export"


def supply_day(order: Order, company: Company) -> date:
    """Return the day whose rates hold: the day of supply, else that of the order, local time."""
    return order.supply_date or order.placed_at.astimezone(ZoneInfo(company.time_zone)).date()


def zero_rate_reason(order: Order, company: Company) -> str:
    """Return why this order may bear no tax at all: ``INTRA_COMMUNITY``, ``EXPORT``, or ``""``.

    An intra-Community supply (par. 6a UStG) needs a business buyer with a VAT id of another member
    state than the seller's, and goods that go to another member state. An export (par. 6 UStG)
    leaves the VAT area of the seller. That a service is taxed at the buyer's place (reverse charge)
    no shop says; a person does, as the reason of the line.
    """
    seller, goods_to = company.address.country, _goods_to(order)
    if not goods_to or goods_to == seller:
        return ""
    if seller in EU and goods_to in EU:
        vat_id = order.buyer.vat_id
        foreign = vat_id and vat_id_country(vat_id) != seller and not vat_id_expectation(vat_id)
        business = order.buyer.kind is CustomerKind.B2B
        return INTRA_COMMUNITY if foreign and business and company.vat_id else ""
    return EXPORT


def tax_problems(order: Order, company: Company) -> list[Problem]:
    """Return what is wrong with the rates of lines, charges and order discounts."""
    reason = zero_rate_reason(order, company)
    allowed = _allowed(order, company)
    found = []
    for number, line in enumerate(order.lines, 1):
        if line.tax_rate == 0 and (reason or line.tax_reason):
            continue
        found += _rate_problems(f"lines.{number}", line.tax_rate, allowed)
    zero_is_right = bool(reason) or any(line.tax_reason for line in order.lines)
    for number, charge in enumerate(order.charges, 1):
        if charge.tax_rate == 0 and zero_is_right:
            continue
        found += _rate_problems(f"charges.{number}", charge.tax_rate, allowed)
    for number, discount in enumerate(order.discounts, 1):
        if discount.tax_rate is None or (discount.tax_rate == 0 and zero_is_right):
            continue
        found += _rate_problems(f"discounts.{number}", discount.tax_rate, allowed)
    return found


def _goods_to(order: Order) -> str:
    """Return the VAT country of delivery; a country outside every known VAT area as ``XX``."""
    to = order.shipping if order.shipping.country else order.billing
    if not to.country:
        return ""
    return vat_country(to.country, to.postcode) or "XX"


def _allowed(order: Order, company: Company) -> tuple[Decimal, ...]:
    """Return the rates that may stand on this order: those of the place of supply, and at home."""
    day = supply_day(order, company)
    goods_to, seller = _goods_to(order), company.address.country
    if goods_to in EU and seller in EU:
        return tuple(dict.fromkeys((*rates_on(goods_to, day), *rates_on(seller, day))))
    return rates_on(goods_to, day) or rates_on(seller, day)


def _rate_problems(where: str, rate: Decimal | None, allowed: tuple[Decimal, ...]) -> list[Problem]:
    rates = ", ".join(f"{known:f}" for known in allowed) or "none is known for this country"
    if rate is None:
        expected, seen = f"a tax rate in percent ({rates})", "nothing"
    elif rate == 0:
        expected = (
            f"a tax rate ({rates}), or {_reason_field(where)} with the reason why none is due"
        )
        seen = "0"
    elif rate not in allowed:
        expected, seen = f"a tax rate that exists there ({rates})", f"{rate:f}"
    else:
        return []
    return [Problem(f"{where}.tax_rate", expected, seen, "tax_deviation", "accounting")]


def _reason_field(where: str) -> str:
    """Name the field that takes the reason: the line's own, or the first line's for a charge."""
    return f"{where}.tax_reason" if where.startswith("lines.") else "lines.1.tax_reason"
