"""What must hold when everything is over: nothing lost, nothing doubled, everything ended."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio.client import Client

from connectors.mailbox import list_mails
from models.store import audit
from models.store.database import Database
from starter.stack.datadir import DataDir
from tests.chaos.shop import ChaosShop, Order
from tests.chaos.tally import Tally
from tests.invariants import broken

ENDED = {
    "I5 money of a cancelled order has its refund task": """
        select p.id from payment p join case_file f on f.id = p.case_id
        where f.closed_as = 'cancelled' and p.unallocated > 0 and not exists (
          select from task t where t.case_id = f.id and t.kind = 'refund'
          and t.context ->> 'payment_id' = p.id::text)""",
    "I5 money that is left over has its task": """
        select p.id from payment p join case_file f on f.id = p.case_id
        where p.unallocated > 0 and f.closed_at is not null and not exists (
          select from task t where t.case_id = f.id
          and t.kind in ('refund', 'payment_on_account')
          and t.context ->> 'payment_id' = p.id::text)""",
}
UNFINISHED = {
    "the outbox has rows": "select count(*) from outbox where delivered_at is null",
    "payments are not matched": """
        select count(*) from payment p join case_file f on f.id = p.case_id
        where p.reconciled_at is null and (f.invoice_no is not null or f.closed_at is not null)""",
    "mails are on their way": """
        select count(*) from outgoing_mail where state in ('intended', 'handing_over')""",
    "notices are on their way": """
        select count(*) from dunning_notice where status in ('proposed', 'approved')""",
    "rules are running": "select count(*) from dunning_run where finished_at is null",
}


async def unfinished(database: Database) -> list[str]:
    """Say what is still going on, in the database's eyes."""
    async with database.engine.connect() as connection:
        found = {what: await connection.scalar(text(sql)) for what, sql in UNFINISHED.items()}
    return [f"{what}: {count}" for what, count in found.items() if count]


async def proof(
    database: Database, client: Client, shop: ChaosShop, told: Tally, mailbox: Path, data: DataDir
) -> list[str]:
    """Return a line for everything that does not hold."""
    today, logs = date.today(), data.log("worker").parent  # noqa: DTZ011 - the stack's own
    lines = await broken(database, mailbox=mailbox, client=client, spool=data.letters, today=today)
    lines += _ended(shop)
    lines += _mails(shop, mailbox)
    async with database.transaction() as session:
        for check in await audit.verify(session):
            lines += [f"audit: {check.name}: {finding}" for finding in check.findings]
    async with database.engine.connect() as connection:
        for name, query in ENDED.items():
            rows = await connection.execute(text(query))
            lines += [f"{name}: {tuple(row)}" for row in rows]
        lines += await _acknowledged(connection, shop)
        lines += await _payments(connection, shop)
        lines += await _same_in_temporal(connection, told)
    for line in (logs / "worker.log").read_text(encoding="utf-8", errors="replace").splitlines():
        if "Unfinished" in line:
            lines.append(f"I7 a handler was cut off: {line[:200]}")
    return lines


def _ended(shop: ChaosShop) -> list[str]:
    return [
        f"I5 {order.case_id} ({order.kind}) is {order.status}, not {order.ends}:"
        f" {order.seen.get('why')}"
        for order in shop.orders
        if not order.done
    ]


def _mails(shop: ChaosShop, mailbox: Path) -> list[str]:
    """Each case has exactly the mails of its story."""
    arrived: dict[str, Counter[str]] = defaultdict(Counter)
    for mail in list_mails(mailbox):
        arrived[mail.case_id][mail.kind] += 1
    return [
        f"I2 {order.case_id} ({order.kind}) got {dict(found)}, not {wanted}"
        for order in shop.orders
        for found in [arrived[order.case_id]]
        for wanted in [_expected(order, found)]
        if dict(found) != wanted
    ]


# They are dropped when the money comes before they are out.
OVERTAKEN = {"payment_rescue", "due_date_changed"}


def _expected(order: Order, found: Counter[str]) -> dict[str, int]:
    if order.mails is not None:
        dropped = OVERTAKEN - set(found)
        return {kind: count for kind, count in order.mails.items() if kind not in dropped}
    # It depends on the moment of the cancellation, but who got anything is told of it.
    known = {"invoice", "payment_confirmation", "payment_rescue"}
    before = {kind: 1 for kind in found if kind in known}
    return before | ({"cancellation": 1} if before else {})


async def _acknowledged(connection: AsyncConnection, shop: ChaosShop) -> list[str]:
    """I3: everything that was answered with 2xx is there."""
    orders = set(
        (await connection.execute(text("select channel, order_no from sales_order"))).tuples()
    )
    money = dict(
        (await connection.execute(text("select transaction_id, amount from payment")))
        .tuples()
        .all()
    )
    noted = set((await connection.execute(text("select case_id, event from history"))).tuples())
    lines = []
    for kind, *what in shop.acknowledged:
        if kind == "order":
            there = (what[0], what[1]) in orders
        elif kind == "payment":
            there = money.get(what[0]) == Decimal(what[1])
        else:
            there = any(case_id == what[0] and _means(event, what[1]) for case_id, event in noted)
        if not there:
            lines.append(f"I3 {kind} {what[:2]} was acknowledged and is not there")
    return lines


def _means(event: str, verb: str) -> bool:
    return event in {
        "cancel": {"cancel_requested"},
        "extend": {"due_date_changed"},
        "correct": {"corrected"},
        "write-off": {"approval_requested", "write_off_proposed"},
    }.get(verb, {event})


async def _payments(connection: AsyncConnection, shop: ChaosShop) -> list[str]:
    """Each transfer is booked once, and nothing else is."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    rows = await connection.execute(
        text("select case_id, transaction_id from payment where provider = 'manual'")
    )
    for case_id, reference in rows:
        found[case_id][reference] += 1
    return [
        f"I1 {order.case_id} ({order.kind}) has the payments {dict(found[order.case_id])}"
        for order in shop.orders
        if found[order.case_id] != Counter(order.paid.keys())
    ]


async def _same_in_temporal(connection: AsyncConnection, told: Tally) -> list[str]:
    """I6: the projection says what the workflow says."""
    rows = await connection.execute(
        text("select id, status, next_step, closed_at is not null as closed from case_file")
    )
    lines = []
    for row in rows:
        if row.closed:
            said: object = told.results.get(row.id)
            shown: object = row.status
        else:
            progress = told.progress.get(row.id)
            said = (progress.plan.status.value, progress.plan.next_step) if progress else None
            shown = (row.status, row.next_step)
        if said != shown:
            lines.append(f"I6 {row.id}: the database says {shown}, the workflow {said}")
    return lines
