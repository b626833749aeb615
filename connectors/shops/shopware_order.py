"""Makes an order of what the mapping read from a Shopware document."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.shops.common import (
    address_parts,
    finished,
    kind_of,
    language_of,
    on_account,
    refused,
)
from domain.errors import Problem
from domain.order import (
    Address,
    Buyer,
    ChargeKind,
    Order,
    OrderCharge,
    OrderDiscount,
    OrderLine,
    OrderPayment,
    PaymentStatus,
    PriceMode,
)

if TYPE_CHECKING:
    from connectors.rows import Record

# The states of Shopware's payment state machine (R56). A state that is not listed is OPEN: it is
# never taken for paid.
STATUSES = {
    "open": PaymentStatus.OPEN,
    "unconfirmed": PaymentStatus.OPEN,
    "authorized": PaymentStatus.OPEN,
    "in_progress": PaymentStatus.OPEN,
    "paid_partially": PaymentStatus.OPEN,
    "reminded": PaymentStatus.OPEN,
    "paid": PaymentStatus.SUCCESSFUL,
    "refunded_partially": PaymentStatus.SUCCESSFUL,
    "refunded": PaymentStatus.SUCCESSFUL,
    "failed": PaymentStatus.FAILED,
    "cancelled": PaymentStatus.FAILED,
    "chargeback": PaymentStatus.CHARGEBACK,
}
_REDUCTIONS = frozenset({"promotion", "credit", "discount"})
_AWAITED = frozenset({"open", "unconfirmed", "in_progress", "reminded", "paid_partially"})
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_ZERO = Decimal(0)

Share = tuple[Decimal | None, Decimal]


def shopware_order(record: Record, source: str, channel: str) -> Order:
    """Work out the order, in the prices and the currency that the customer saw."""
    lines, reductions = _lines(record)
    charges, shipping_discounts = _shipping(record)
    payment = _payment(record)
    deliveries = record.rows("charges")
    taxed = record.text("~tax_status")
    order = Order(
        source=source,
        channel=channel,
        order_no=record.text("order_no"),
        external_id=record.text("external_id"),
        placed_at=record.moment("placed_at"),
        modified_at=record.moment("modified_at"),
        currency=record.text("currency"),
        price_mode=PriceMode.GROSS if taxed == "gross" else PriceMode.NET,
        buyer=_buyer(record),
        billing=address_parts(record, "billing"),
        shipping=address_parts(deliveries[0], "shipping") if deliveries else Address(),
        lines=lines,
        charges=charges,
        discounts=(*reductions, *shipping_discounts),
        payment=payment,
        total=record.amount("total"),
        total_tax=sum((tax.amount("tax") for tax in record.rows("~taxes")), _ZERO),
        note=record.text("note"),
        # Wholly refunded or cancelled: nothing is to be invoiced unless a person says so.
        cancelled=record.text("~state") == "cancelled" or payment.vendor_status == "refunded",
    )
    return finished(order)


def _buyer(record: Record) -> Buyer:
    company = record.text("buyer.company") or record.text("billing.company")
    vat_ids = [*record.value("buyer.vat_id", tuple), record.text("~vat_id")]
    vat_id = next(filter(None, vat_ids), "")
    return Buyer(
        external_id=record.text("~customer_no") or record.text("~customer_id"),
        kind=kind_of(company, vat_id),
        name=f"{record.text('~first_name')} {record.text('~last_name')}".strip(),
        company=company,
        email=record.text("buyer.email"),
        phone=record.text("buyer.phone"),
        vat_id=vat_id,
        language=language_of(record.text("buyer.language")),
    )


def _lines(record: Record) -> tuple[tuple[OrderLine, ...], tuple[OrderDiscount, ...]]:
    """Part the positions from the promotions; a part of a bundle is in the bundle's price."""
    taxed = record.text("~tax_status")
    rows = record.rows("lines")
    ids = {row.text("~id") for row in rows if row.text("~id")}
    lines: list[OrderLine] = []
    reductions: list[OrderDiscount] = []
    problems: list[Problem] = []
    for index, row in enumerate(rows):
        total = row.amount("~total")
        if row.text("~parent") in ids:
            continue
        shares = _shares(row, total, taxed)
        cheapest = min(total, row.amount("unit_price"), *(share for _, share in shares))
        if cheapest >= 0:
            lines += _positions(row, shares)
        elif row.text("~type") in _REDUCTIONS and total < 0:
            reductions += [OrderDiscount(row.text("name"), -share, rate) for rate, share in shares]
        else:
            expected = "an amount from 0, or the type promotion, credit or discount"
            problems.append(Problem(f"lineItems[{index}].totalPrice", expected, str(total)))
    problems += _risen(reductions)
    if problems:
        raise refused("Shopware order", *problems)
    return tuple(lines), tuple(reductions)


def _risen(reductions: list[OrderDiscount]) -> list[Problem]:
    """Name a reduction of which one tax share makes the order dearer."""
    return [
        Problem("lineItems", "a promotion whose every tax share is negative", one.name)
        for one in reductions
        if one.amount < 0
    ]


def _positions(row: Record, shares: list[Share]) -> list[OrderLine]:
    """Return the line; one that bears several rates (a mixed bundle) as one line per rate."""
    name, sku = row.text("name"), row.text("sku")
    if len(shares) > 1:
        return [
            OrderLine(f"{name} ({rate} %)", Decimal(1), share, rate, sku, shop_total=share)
            for rate, share in shares
        ]
    rate, total = shares[0]
    quantity, unit_price = row.amount("quantity"), row.amount("unit_price")
    return [OrderLine(name, quantity, unit_price, rate, sku, shop_total=total)]


def _shipping(record: Record) -> tuple[tuple[OrderCharge, ...], tuple[OrderDiscount, ...]]:
    """Return shipping per rate. A shipping promotion is a delivery with a negative price."""
    taxed = record.text("~tax_status")
    parts = [
        (delivery.text("name"), rate, amount)
        for delivery in record.rows("charges")
        for rate, amount in _shares(delivery, delivery.amount("amount"), taxed)
    ]
    return (
        tuple(OrderCharge(ChargeKind.SHIPPING, name, a, rate) for name, rate, a in parts if a > 0),
        tuple(OrderDiscount(name, -a, rate) for name, rate, a in parts if a < 0),
    )


def _shares(row: Record, amount: Decimal, taxed: str) -> list[Share]:
    """Split an amount over its rates, as Shopware did."""
    taxes = row.rows("~taxes")
    if taxed == "tax-free":
        return [(_ZERO, amount)]
    if len(taxes) > 1:
        return [(tax.amount("rate"), tax.amount("price")) for tax in taxes]
    return [(taxes[0].amount("rate") if taxes else None, amount)]


def _payment(record: Record) -> OrderPayment:
    """Take the last transaction that was not cancelled: a buyer may have tried several ways."""
    tries = sorted(
        record.rows("~transactions"), key=lambda one: one.moment_or_none("created") or _LONG_AGO
    )
    alive = [one for one in tries if one.text("state") != "cancelled"]
    if not tries:
        return OrderPayment(PaymentStatus.OPEN)
    last = (alive or tries)[-1]
    vendor, method, provider = last.text("state"), last.text("method"), last.text("provider")
    status = STATUSES.get(vendor, PaymentStatus.OPEN)
    if vendor in _AWAITED and on_account(method, provider):
        status = PaymentStatus.LATER
    received = last.amount_or_none("amount")
    paid = status is PaymentStatus.SUCCESSFUL
    return OrderPayment(
        status=status,
        method=method or provider,
        provider=provider or method,
        transaction_id=last.text("transaction_id"),
        paid_amount=(record.amount("total") if received is None else received) if paid else _ZERO,
        vendor_status=vendor,
    )
