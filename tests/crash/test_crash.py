"""Every process is killed while orders are in flight: every case ends, every effect happened once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from connectors.mailbox import list_mails
from models.settings import Settings
from models.store.database import Database
from starter.temporal import connect
from tests.crash.conftest import Stack
from tests.crash.monkey import VICTIMS, Monkey
from tests.crash.shop import MAILS, Buying, Shop
from tests.invariants import check

pytestmark = [pytest.mark.stack, pytest.mark.crash]

# Generous: it says that a case hangs, not how fast it should be. The runs print how fast it was.
DEADLINE = 90.0
# Who is killed once more when the money comes in.
SERVANTS = ("worker", "temporal", "postgres", "dispatcher")


async def test_every_process_is_killed_while_orders_are_in_flight(stack: Stack, seed: int) -> None:
    """30 orders, two kills of each process: each order has one invoice, its mails, its money."""
    async with shop(stack, "seed") as crowd:
        buyings = crowd.open(30)
        chance = random.Random(seed)  # noqa: S311 - it has to be repeatable
        monkey = Monkey(stack.data, seed, lambda: progress(crowd))
        async with all_end(crowd):
            buyers = [
                asyncio.create_task(crowd.buy(buying, after=chance.uniform(0, 6)))
                for buying in buyings
            ]
            await monkey.rampage(VICTIMS, pauses=(0.3, 1.2))
            while sum(bool(buying.invoice_no) for buying in buyings) < 10:
                await asyncio.sleep(0.1)
            await monkey.rampage(SERVANTS, pauses=(0.3, 1.2))
            began = time.monotonic()
            await asyncio.gather(*buyers)
            print(
                f"{time.monotonic() - began:5.1f} s  after the last kill, {crowd.retries} retries"
            )
        assert len(monkey.kills) == len(VICTIMS) + len(SERVANTS)
    await all_is_well(stack, crowd)


@contextlib.asynccontextmanager
async def shop(stack: Stack, channel: str) -> AsyncIterator[Shop]:
    """Open a shop whose buyers watch their cases."""
    opened = Shop(stack.settings, channel)
    watching = asyncio.create_task(opened.watch())
    try:
        yield opened
    finally:
        watching.cancel()
        await opened.close()


@contextlib.asynccontextmanager
async def all_end(crowd: Shop) -> AsyncIterator[None]:
    """Give the cases their time; fail with the names of those that hang."""
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    except TimeoutError:
        pytest.fail(unfinished(crowd))


def progress(crowd: Shop) -> str:
    """Say how far the orders are, in a few words."""
    counts = Counter(buying.seen.get("status", "not seen") for buying in crowd.buyings)
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def unfinished(crowd: Shop) -> str:
    """Name the cases that have not ended."""
    lines = [f"{b.number}: {b.seen.get('status')} {b.seen.get('why')}" for b in crowd.buyings]
    return "\n".join(line for line, b in zip(lines, crowd.buyings, strict=True) if not b.closed)


async def all_is_well(stack: Stack, crowd: Shop) -> None:
    """Count what happened to each order, then check everything that must always hold."""
    database = Database.connect(stack.settings)
    try:
        for buying in crowd.buyings:
            await happened_once(database, buying)
        mails_arrived_once(stack.settings, crowd)
        await check(
            database,
            mailbox=stack.settings.mailbox_dir,
            client=await connect(stack.settings),
        )
    finally:
        await database.close()


async def happened_once(database: Database, buying: Buying) -> None:
    """One invoice, each payment once, settled in full; the case is closed."""
    payments = buying.parts if buying.sample == "zahltag-ok" else 1
    async with database.engine.connect() as connection:
        found = await connection.execute(_COUNTS, {"case_id": buying.case_id})
        assert found.mappings().one() == {
            "status": "closed",
            "invoices": 1,
            "payments": payments,
            "received": payments,
            "settled": payments,
            "open": 0,
        }, buying


_COUNTS = text("""
select f.status,
  (select count(*) from invoice i where i.case_id = f.id) as invoices,
  (select count(*) from payment p where p.case_id = f.id) as payments,
  (select count(*) from journal_entry e where e.case_id = f.id
     and e.kind = 'payment_received') as received,
  (select count(*) from allocation a join invoice i on i.id = a.invoice_id
     where i.case_id = f.id) as settled,
  (select count(*) from task t where t.case_id = f.id and t.status = 'open') as open
from case_file f where f.id = :case_id
""")


def mails_arrived_once(settings: Settings, crowd: Shop) -> None:
    """Count what really lies in the mailbox, by Message-ID and by case and kind."""
    assert settings.mailbox_dir
    mails = list_mails(settings.mailbox_dir)
    assert {n for n in Counter(mail.message_id for mail in mails).values()} == {1}
    arrived = Counter((mail.case_id, mail.kind) for mail in mails)
    for buying in crowd.buyings:
        kinds = {kind: n for (case_id, kind), n in arrived.items() if case_id == buying.case_id}
        assert kinds == MAILS[buying.sample], buying
