"""What happens to orders: every kind of story that an order-to-cash case can take."""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

from tests.chaos.shop import ChaosShop, Order
from tests.crash.shop import SAMPLES, Json

INVOICE = {"invoice": 1}
PAID = INVOICE | {"payment_confirmation": 1}
RESCUED = INVOICE | {"payment_rescue": 1}
FIRST = datetime.fromisoformat("2026-11-01T08:00:00+01:00")

Story = Callable[[ChaosShop, Order, random.Random], Awaitable[None]]


async def paid_once(shop: ChaosShop, order: Order, _chance: random.Random) -> None:
    """Pay the invoice by one transfer that is told twice."""
    await shop.reaches(order, "awaiting_payment")
    await shop.transfer_sum(order, due(order), "once", times=2)


async def paid_in_parts(shop: ChaosShop, order: Order, chance: random.Random) -> None:
    """Pay in three parts, each at any time after the other."""
    await shop.reaches(order, "awaiting_payment")
    total = Decimal(due(order))
    part = (total / 3).quantize(Decimal("0.01"))
    for number, amount in enumerate([part, part, total - 2 * part]):
        await shop.transfer_sum(order, str(amount), f"part-{number}")
        await asyncio.sleep(chance.uniform(0, 2))


async def overpaid(shop: ChaosShop, order: Order, _chance: random.Random) -> None:
    """Pay five too much."""
    await shop.reaches(order, "awaiting_payment")
    await shop.transfer_sum(order, str(Decimal(due(order)) + 5), "more")


async def paid_twice(shop: ChaosShop, order: Order, chance: random.Random) -> None:
    """Pay all of it by two transfers, at once or one after the end."""
    await shop.reaches(order, "awaiting_payment")
    amount = due(order)
    await shop.transfer_sum(order, amount, "first")
    if chance.random() < 0.5:
        await shop.reaches(order, "closed")
    await shop.transfer_sum(order, amount, "second")


async def nothing_more(shop: ChaosShop, order: Order, _chance: random.Random) -> None:
    """Do nothing: the order is paid already, or rests unpaid."""


async def paid_after_failure(shop: ChaosShop, order: Order, _chance: random.Random) -> None:
    """Let the shop say, twice, that the second try worked: a mail that is not out yet is dropped."""
    await shop.reaches(order, "payment_failed")
    payment = order.document["payment"] | {"status": "successful"}
    payment["transaction_id"] += "-2"
    later = (FIRST + timedelta(days=16)).isoformat()
    await shop.send(order, times=2, payment=payment, modified_at=later)


async def approved(shop: ChaosShop, order: Order, chance: random.Random) -> None:
    """Approve the risky order; its buyer pays."""
    await shop.reaches(order, "needs_approval")
    await shop.decide_approval(order, "approve", {})
    await paid_once(shop, order, chance)


async def rejected(shop: ChaosShop, order: Order, _chance: random.Random) -> None:
    """Reject the risky order."""
    await shop.reaches(order, "needs_approval")
    await shop.decide_approval(order, "reject", {"reason": "the card is not the buyer's"})


async def corrected(shop: ChaosShop, order: Order, chance: random.Random) -> None:
    """Give the missing tax rate; the buyer pays."""
    await shop.reaches(order, "needs_correction")
    await shop.decide(order, "correct", {"fields": {"lines.2.tax_rate": "19"}})
    await paid_once(shop, order, chance)


async def cancelled(shop: ChaosShop, order: Order, chance: random.Random) -> None:
    """Cancel at any moment, told twice; sometimes the money is there before, or comes later."""
    moment = chance.choice(["soon", "soon", "invoiced", "paid"])
    if moment != "soon" and order.sample == "zahltag-ok":
        await shop.reaches(order, "awaiting_payment")
        if moment == "paid":
            await shop.transfer_sum(order, due(order), "before")
    await asyncio.sleep(chance.uniform(0, 1.5))
    for _ in range(2):
        await shop.decide(order, "cancel", {"reason": "ordered by mistake"})
    await shop.reaches(order, "cancelled")
    if order.invoice_no and not order.paid:
        await shop.transfer_sum(order, "10.00", "late")


async def extended(shop: ChaosShop, order: Order, chance: random.Random) -> None:
    """Move the due date, told twice; the buyer pays."""
    await shop.reaches(order, "awaiting_payment")
    later = (date.today() + timedelta(days=45)).isoformat()  # noqa: DTZ011 - any later day will do
    for _ in range(2):
        await shop.decide(order, "extend", {"due": later})
    await paid_once(shop, order, chance)


async def written_off(shop: ChaosShop, order: Order, _chance: random.Random) -> None:
    """Anna proposes a write-off; the admin approves it."""
    await shop.reaches(order, "awaiting_payment")
    await shop.decide(order, "write-off", {"reason": "insolvent"}, user="anna")
    await shop.decide_approval(order, "approve", {})


# Sample, story, end, mails (None: it depends on the moment), how often of a hundred or so.
KINDS: dict[str, tuple[str, Story, str, dict[str, int] | None, int]] = {
    "paid once": ("zahltag-ok", paid_once, "closed", PAID, 14),
    "paid in parts": ("zahltag-ok", paid_in_parts, "closed", PAID, 8),
    "overpaid": ("zahltag-ok", overpaid, "closed", PAID, 6),
    "paid twice": ("zahltag-ok", paid_twice, "closed", PAID, 6),
    "unpaid": ("zahltag-ok", nothing_more, "awaiting_payment", INVOICE, 4),
    "prepaid": ("zahltag-paid", nothing_more, "closed", INVOICE, 8),
    "paid after failure": ("zahltag-payment-failed", paid_after_failure, "closed", RESCUED, 8),
    "approved": ("zahltag-risk", approved, "closed", PAID, 5),
    "rejected": ("zahltag-risk", rejected, "rejected", {}, 3),
    "corrected": ("zahltag-missing-tax-rate", corrected, "closed", PAID, 6),
    "cancelled": ("zahltag-ok", cancelled, "cancelled", None, 9),
    "cancelled, prepaid": ("zahltag-paid", cancelled, "cancelled", None, 4),
    "extended": ("zahltag-ok", extended, "closed", PAID | {"due_date_changed": 1}, 5),
    "written off": ("zahltag-ok", written_off, "written_off", INVOICE, 5),
    "Shopify": ("shopify-ok", paid_once, "closed", PAID, 5),
    "Shopify, prepaid": ("shopify-paid", nothing_more, "closed", INVOICE, 4),
    "WooCommerce": ("woocommerce-ok", paid_in_parts, "closed", PAID, 6),
    "Shopware": ("shopware-ok", overpaid, "closed", PAID, 5),
}


def write(count: int, chance: random.Random) -> list[tuple[Order, Story]]:
    """Write so many orders; each kind is there if there are enough."""
    names = list(KINDS)
    weights = [KINDS[name][4] for name in names]
    chosen = names[:count] + chance.choices(names, weights, k=max(0, count - len(names)))
    chance.shuffle(chosen)
    return [(_order(name, place, chance), KINDS[name][1]) for place, name in enumerate(chosen)]


def due(order: Order) -> str:
    """Return what the invoice asks for."""
    return str(order.seen["amount_due"])


def _order(kind: str, place: int, chance: random.Random) -> Order:
    sample, _, ends, mails, _ = KINDS[kind]
    source = sample.split("-", maxsplit=1)[0]
    number = f"C{place + 1:04}"
    return Order(
        sample,
        number,
        _document(sample, source, number, place),
        kind=kind,
        source=source,
        by_webhook=source in {"zahltag", "woocommerce"} and chance.random() < 0.4,
        ends=ends,
        mails=mails,
    )


def _document(sample: str, source: str, number: str, place: int) -> Json:
    """Change a sample into an order of its own: another number, buyer and hour."""
    document: Json = json.loads((SAMPLES / f"{sample}.json").read_text(encoding="utf-8"))
    document = copy.deepcopy(document)
    at, email = FIRST + timedelta(hours=place), f"{sample}-{place % 40}@chaos.example"
    if source == "shopify":
        changes: Json = {"id": 10_000 + place, "name": f"#{number}", "email": email}
        changes |= {"processed_at": at.isoformat(), "updated_at": at.isoformat()}
        document["customer"] |= {"id": 20_000 + place, "email": email}
    elif source == "woocommerce":
        stamp = at.replace(tzinfo=None).isoformat()
        changes = {"id": 10_000 + place, "number": number, "customer_id": 20_000 + place}
        changes |= {"date_created_gmt": stamp, "date_modified_gmt": stamp}
        document["billing"] |= {"email": email}
    elif source == "shopware":
        changes = {"id": f"{place:032x}", "orderNumber": number, "orderDateTime": at.isoformat()}
        changes |= {"updatedAt": at.isoformat()}
        document["orderCustomer"] |= {"customerNumber": f"SW{place}", "email": email}
    else:
        changes = {"order_no": number, "external_id": number, "placed_at": at.isoformat()}
        document["buyer"] |= {"customer_id": f"{sample}-{place % 40}", "email": email}
        document["buyer"].pop("vat_id", None)
        if "transaction_id" in document["payment"]:
            document["payment"] |= {"transaction_id": f"tx-{number}"}
    return document | changes
