"""What both vendors' deals have in common once their own fields are read."""

from __future__ import annotations

from decimal import Decimal

from connectors.crm.settings import CrmSettings
from connectors.rows import Record
from connectors.shops.common import finished, refused
from domain.errors import Problem
from domain.money import round_amount
from domain.order import Address, Order, OrderLine, OrderPayment, PaymentStatus
from domain.pricing import with_total

ZERO = Decimal(0)
# A won deal is a sale on account: nobody has paid yet, and nothing is awaited before the invoice.
ON_ACCOUNT = OrderPayment(status=PaymentStatus.LATER, method="invoice")


def currency_of(record: Record, settings: CrmSettings, where: str) -> str:
    """Return the deal's currency, else the channel's default; RefusedError without either."""
    currency = record.text("currency") or settings.default_currency
    if not currency:
        expected = "a currency such as EUR; or set default_currency in the channel's settings"
        raise refused("deal", Problem(where, expected, "nothing"))
    return currency


def refuse_recurring(lines: tuple[Record, ...], where: str, once: tuple[str, ...]) -> None:
    """Refuse a deal with positions that are billed again and again: an invoice would be wrong."""
    problems = [
        Problem(
            f"{where}[{index}]",
            "a position that is billed once: bill subscriptions elsewhere, and make a deal of its"
            " own for them",
            f"{line.text('name')[:60]!r} is billed {line.text('~billed')}",
        )
        for index, line in enumerate(lines)
        if line.text("~billed") not in once
    ]
    if problems:
        raise refused("deal", *problems)


def percent_of(amount: Decimal, percent: Decimal, currency: str) -> Decimal:
    """Return a discount in percent of an amount, rounded to the minor unit as the vendors do."""
    return round_amount(amount * percent / 100, currency)


def reference(number: str, name: str) -> str:
    """Name the deal on the invoice (E4): its number, then its name."""
    return f"{number} {name}".strip()[:100]


def party(record: Record, name: str, company: str, settings: CrmSettings) -> Address:
    """Return an address of the mapping, in the default country where it names none (A11)."""
    parts = ("street", "extra", "postcode", "city", "region")
    found = {part: record.text(part) for part in parts}
    country = record.text("country")
    if not country and any(found.values()):
        country = settings.default_country
    return Address(name=name, company=company, country=country, **found)


def net_sum(lines: tuple[OrderLine, ...], currency: str) -> Decimal:
    """Return what the positions come to, each rounded."""
    amounts = (line.quantity * line.unit_price - line.discount for line in lines)
    return sum((round_amount(amount, currency) for amount in amounts), ZERO)


def completed(order: Order) -> Order:
    """Bring the order to one form, with a gross total where the deal names a net one."""
    return with_total(finished(order))
