"""What every connector does with an order once its own fields are read."""

from __future__ import annotations

import re
from dataclasses import fields
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from domain.addresses import normalise_address
from domain.copies import with_parts
from domain.errors import Problem, RefusedError
from domain.money import plain_number, round_amount
from domain.order import (
    NOWHERE,
    Address,
    Buyer,
    CustomerKind,
    Order,
    OrderCharge,
    OrderDiscount,
    OrderLine,
)
from domain.vat_ids import compact_vat_id

if TYPE_CHECKING:
    from connectors.rows import Record

Rated = TypeVar("Rated", OrderCharge, OrderDiscount)


def address(record: Record, where: str) -> Address:
    """Take an address from the fields that a mapping filled under ``billing`` or ``shipping``."""
    parts = [record.text(name) for name in _address_fields(where)]
    return Address(*parts) if any(parts) else NOWHERE


@lru_cache(maxsize=8)
def _address_fields(where: str) -> tuple[str, ...]:
    return tuple(f"{where}.{part.name}" for part in fields(Address))


def address_parts(record: Record, where: str) -> Address:
    """Take an address whose vendor keeps first and last name apart (``~billing_first``)."""
    parts = ("company", "street", "extra", "postcode", "city", "region", "country")
    name = f"{record.text(f'~{where}_first')} {record.text(f'~{where}_last')}".strip()
    return Address(name=name, **{part: record.text(f"{where}.{part}") for part in parts})


def kind_of(company: str, vat_id: str) -> CustomerKind:
    """A buyer who names a company or a VAT id bought as a business; else as a consumer."""
    return CustomerKind.B2B if company or vat_id else CustomerKind.B2C


def language_of(locale: str) -> str:
    """Return ``de`` or ``en`` for a locale such as ``de-AT``, ``""`` if none is named."""
    if not locale:
        return ""
    return "de" if locale.casefold().startswith("de") else "en"


# "invoice" covers Shopware's payment_invoicepayment and most plugins, Klarna and PayPal say "pay
# later", "Kauf auf Rechnung" and "net 30" are what merchants write themselves.
_ON_ACCOUNT = re.compile(
    r"invoice|rechnung|on[ _-]?account|pay[ _-]?later|\bnet[ _-]?\d+\b", re.IGNORECASE
)


def on_account(*names: str) -> bool:
    """Say whether a way to pay means: deliver first, pay by invoice later (Kauf auf Rechnung)."""
    return any(_ON_ACCOUNT.search(name) for name in names)


def unit_price(amount: Decimal, quantity: Decimal) -> Decimal:
    """Return the price of one, where the shop names the line's: to the cent, else six decimals.

    Times the quantity it gives the line's amount again once that is rounded to the cent.
    """
    for step in (Decimal("0.01"), Decimal("0.000001")):
        price = (amount / quantity).quantize(step, rounding=ROUND_HALF_UP)
        if price * quantity == amount:
            break
    return price


def refused(what: str, *problems: Problem) -> RefusedError:
    """Return the refusal for what only shows once several fields are seen together."""
    return RefusedError(f"The {what} cannot be read: {'; '.join(map(str, problems))}.", problems)


def finished(order: Order) -> Order:
    """Bring the order to one form, and close the gaps that have one right answer (A3, A11).

    Addresses are normalised. Buyer and recipient of the invoice lend each other their names.
    Charges and discounts of nothing are dropped. A free position without a tax rate takes the
    order's highest rate: it changes no figure, but an invoice needs one.
    """
    buyer, billing = order.buyer, normalise_address(order.billing)
    name, company = billing.name or buyer.name, billing.company or buyer.company
    billing = with_parts(billing, name=name, company=company)
    rates = [line.tax_rate for line in order.lines if line.tax_rate is not None]
    highest = max(rates, default=None)
    currency, paid = order.currency, order.payment.paid_amount
    return with_parts(
        order,
        buyer=_finished_buyer(buyer, billing),
        billing=billing,
        shipping=normalise_address(order.shipping),
        lines=tuple([_finished_line(line, highest) for line in order.lines]),
        charges=tuple([_rated(charge) for charge in order.charges if charge.amount]),
        discounts=tuple([_rated(discount) for discount in order.discounts if discount.amount]),
        total=_money(order.total, currency),
        total_tax=None if order.total_tax is None else _money(order.total_tax, currency),
        payment=with_parts(order.payment, paid_amount=_money(paid, currency) if paid else paid),
    )


def _money(amount: Decimal, currency: str) -> Decimal:
    """Write an amount with all its minor units (97.20, not 97.2), but never round it here."""
    rounded = round_amount(amount, currency)
    return rounded if rounded == amount else amount


def _finished_line(line: OrderLine, highest: Decimal | None) -> OrderLine:
    free = line.tax_rate is None and line.quantity * line.unit_price == line.discount
    rate = _plain(highest if free else line.tax_rate)
    return with_parts(line, tax_rate=rate)


def _rated(item: Rated) -> Rated:
    return with_parts(item, tax_rate=_plain(item.tax_rate))


def _plain(rate: Decimal | None) -> Decimal | None:
    """Write a rate as one says it: 19, not 19.00; 10, not 1E+1."""
    return None if rate is None else Decimal(plain_number(rate))


def _finished_buyer(buyer: Buyer, billing: Address) -> Buyer:
    name, company = buyer.name or billing.name, buyer.company or billing.company
    return with_parts(buyer, name=name, company=company, vat_id=compact_vat_id(buyer.vat_id))
