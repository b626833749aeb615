"""What every connector does with an order once its own fields are read."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from domain.addresses import normalise_address
from domain.errors import Problem, RefusedError
from domain.money import round_amount
from domain.order import Address, Buyer, CustomerKind, Order, OrderLine
from domain.vat_ids import compact_vat_id

if TYPE_CHECKING:
    from connectors.rows import Record


def address(record: Record, where: str) -> Address:
    """Take an address from the fields that a mapping filled under ``billing`` or ``shipping``."""
    parts = ("name", "company", "street", "extra", "postcode", "city", "region", "country")
    return Address(**{part: record.text(f"{where}.{part}") for part in parts})


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
    if (name, company) != (billing.name, billing.company):
        billing = replace(billing, name=name, company=company)
    rates = [line.tax_rate for line in order.lines if line.tax_rate is not None]
    highest = max(rates, default=None)
    return replace(
        order,
        buyer=_finished_buyer(buyer, billing),
        billing=billing,
        shipping=normalise_address(order.shipping) if order.shipping != _NOWHERE else _NOWHERE,
        lines=tuple(_finished_line(line, highest) for line in order.lines),
        charges=tuple(
            replace(charge, tax_rate=_plain(charge.tax_rate))
            for charge in order.charges
            if charge.amount
        ),
        discounts=tuple(
            replace(discount, tax_rate=_plain(discount.tax_rate))
            for discount in order.discounts
            if discount.amount
        ),
        total=_money(order.total, order.currency),
        total_tax=None if order.total_tax is None else _money(order.total_tax, order.currency),
        payment=replace(
            order.payment, paid_amount=_money(order.payment.paid_amount, order.currency)
        ),
    )


_NOWHERE = Address()


def _money(amount: Decimal, currency: str) -> Decimal:
    """Write an amount with all its minor units (97.20, not 97.2), but never round it here."""
    rounded = round_amount(amount, currency)
    return rounded if rounded == amount else amount


def _finished_line(line: OrderLine, highest: Decimal | None) -> OrderLine:
    free = line.tax_rate is None and line.quantity * line.unit_price == line.discount
    rate = _plain(highest if free else line.tax_rate)
    return line if str(rate) == str(line.tax_rate) else replace(line, tax_rate=rate)


def _plain(rate: Decimal | None) -> Decimal | None:
    """Write a rate as one says it: 19, not 19.00; 10, not 1E+1."""
    return None if rate is None else Decimal(f"{rate.normalize():f}")


def _finished_buyer(buyer: Buyer, billing: Address) -> Buyer:
    return replace(
        buyer,
        name=buyer.name or billing.name,
        company=buyer.company or billing.company,
        vat_id=compact_vat_id(buyer.vat_id),
    )
