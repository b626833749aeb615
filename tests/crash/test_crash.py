"""Every process is killed while orders and notices are in flight: every effect happens once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from activities.failpoints import DIED
from connectors.mailbox import list_mails
from models.settings import Settings
from models.store.database import Database
from starter.stack import control, doctor, heartbeat
from starter.stack.environment import PORTS_FILE, child_environment
from starter.stack.processes import stop
from starter.stack.state import State
from starter.temporal import connect
from tests.crash.arrears import CASES, REMINDED, Arrears
from tests.crash.conftest import Stack
from tests.crash.debtors import Office, each_got_one, quiet
from tests.crash.monkey import VICTIMS, Monkey
from tests.crash.shop import MAILS, Buying, Shop
from tests.invariants import check
from tests.workflows.arrears import REMINDER
from tests.workflows.house import eventually

pytestmark = [pytest.mark.stack, pytest.mark.crash, pytest.mark.timeout(300)]

# Generous: it says that a case hangs, not how fast it should be. The runs print how fast it was.
DEADLINE = 180.0
PATIENCE = 60.0
# Who is killed once more when the money comes in.
SERVANTS = ("worker", "temporal", "postgres", "dispatcher")
# Who is killed while letters and mails to debtors go out.
DUNNING_VICTIMS = ("worker", "postgres", "temporal", "mailbox", "dispatcher", "worker")


async def test_every_process_is_killed_while_orders_are_in_flight(stack: Stack, seed: int) -> None:
    """30 orders, two kills of each process: each order has one invoice, its mails, its money."""
    async with shop(stack, "seed") as crowd:
        buyings = crowd.open(30)
        chance = random.Random(seed)  # noqa: S311 - it has to be repeatable
        monkey = Monkey(stack.data, seed, lambda: progress(crowd))
        async with all_end(crowd), asyncio.TaskGroup() as buyers:
            for buying in buyings:
                buyers.create_task(crowd.buy(buying, after=chance.uniform(0, 6)))
            await monkey.rampage(VICTIMS, pauses=(0.3, 1.2))
            await crowd.has_invoices(10)
            await monkey.rampage(SERVANTS, pauses=(0.3, 1.2))
        monkey.note(f"all cases have ended after {crowd.retries} repeated requests")
        assert len(monkey.kills) == len(VICTIMS) + len(SERVANTS)
    await all_is_well(stack, crowd)


async def test_everything_is_killed_at_once(stack: Stack, seed: int) -> None:
    """The supervisor and all processes in the middle of the work: ``up`` goes on where it was."""
    async with shop(stack, "all") as crowd:
        buyings = crowd.open(8)
        chance = random.Random(seed)  # noqa: S311 - it has to be repeatable
        monkey = Monkey(stack.data, seed, lambda: progress(crowd))
        async with all_end(crowd), asyncio.TaskGroup() as buyers:
            for buying in buyings:
                buyers.create_task(crowd.buy(buying, after=chance.uniform(0, 2)))
            await asyncio.sleep(chance.uniform(1, 4))
            monkey.kill_all()
            await control.up(stack.data, monkey.note)
        monkey.note("all cases have ended")
    await all_is_well(stack, crowd)


async def test_a_new_supervisor_finds_everything_as_it_was(stack: Stack) -> None:
    """After all those kills: the same addresses, the retention and the attributes, all healthy.

    The supervisor alone is killed; everything lives on, and its successor adopts all of it.
    """
    before = await control.status(stack.data)
    await asyncio.to_thread(stop, [State.load(stack.data).supervisor.ref], signal.SIGKILL)
    after = await control.up(stack.data, lambda _line: None)
    assert [(p.name, p.pid) for p in after.processes] == [(p.name, p.pid) for p in before.processes]
    assert after.api == stack.settings.api_base_url
    checks = {check.name: check for check in await doctor.examine(stack.data)}
    assert {name for name, check in checks.items() if not check.ok} == set()
    assert {"retention", "search attributes", "schema", "company"} <= set(checks)


async def test_open_cases_outlive_temporals_database(stack: Stack) -> None:
    """Temporal forgets everything: open cases come back from the facts, and nothing is sent twice.

    Before, each of them is told again what it knows, as after a dispatcher's death. So it is with
    customers in arrears: nobody gets a second notice.
    """
    arrears = Arrears(stack.settings)
    async with shop(stack, "lost") as crowd, facts(stack) as database, all_end(crowd):
        await arrears.begin()
        buyings = crowd.open(5)
        by_transfer = [buying for buying in buyings if buying.sample == "zahltag-ok"]
        await asyncio.gather(*(crowd.order(buying) for buying in buyings))
        await crowd.until(lambda b: b.waits_for_money or b.closed, *buyings)
        halves = next(buying for buying in by_transfer if buying.parts == 2)
        await crowd.transfer(halves, 0)
        await crowd.until(lambda b: b.seen["amount_due"] == "59.50", halves)
        open_cases = {buying.case_id for buying in buyings if not buying.closed}
        await all_is_told_again(database)
        await eventually(partial(_rest, stack, open_cases | CASES), PATIENCE)

        await make_older(database)
        await asyncio.to_thread(control.down, stack.data)
        for file in stack.data.temporal_file.parent.iterdir():
            file.unlink()
        await control.up(stack.data, lambda _line: None)
        await eventually(partial(_run, stack, open_cases | CASES), PATIENCE)
        assert arrears.mails() == [f"dunning-{REMINDED}"]
        await arrears.approve()
        await asyncio.gather(*(crowd.pay(buying) for buying in buyings), arrears.pay())
        await crowd.until(lambda b: b.closed, *buyings)
    await arrears.close()
    assert arrears.mails() == sorted(CASES)
    await all_is_well(stack, crowd)


async def test_workers_die_where_it_hurts_most(stack: Stack, tmp_path: Path) -> None:
    """Right after an invoice was committed, right after a mail was accepted: both once, all ends."""
    hurts = ("after_commit:create_invoice:exit", "after_acceptance:send_email:exit")
    async with contextlib.AsyncExitStack() as living, shop(stack, "hurt") as crowd, all_end(crowd):
        starting = (living.enter_async_context(armed(stack, at, tmp_path)) for at in hurts)
        workers = await asyncio.gather(*starting)
        waiting, crowd.buyings = crowd.open(60), []
        while any(worker.returncode is None for worker in workers):
            crowd.buyings.append(waiting.pop(0))
            await crowd.order(crowd.buyings[-1])
            await asyncio.sleep(0.1)
        assert [worker.returncode for worker in workers] == [DIED, DIED]
        await asyncio.gather(*(crowd.pay(buying) for buying in crowd.buyings))
        await crowd.until(lambda b: b.closed, *crowd.buyings)
    await all_is_well(stack, crowd)


async def test_forty_notices_while_everything_is_killed(stack: Stack, seed: int) -> None:
    """Two runs at once, a third afterwards; three customers pay in the middle of it."""
    async with facts(stack) as database:
        office = Office(stack.settings, "debtor")
        await office.has_debtors(40)
        await office.has_rule(REMINDER)
        monkey = Monkey(stack.data, seed, lambda: f"{office.retries} repeated requests")
        async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as people:
            for _ in range(2):
                people.create_task(office.runs(REMINDER["name"]))
            people.create_task(monkey.rampage(DUNNING_VICTIMS, pauses=(0.2, 1.0)))
            for number in office.numbers[:3]:
                people.create_task(office.pays(number, "119.00"))
        await asyncio.wait_for(monkey.mended(), PATIENCE)
        monkey.note(f"{len(monkey.kills)} kills are over")
        await eventually(partial(quiet, stack, database, office, 37), DEADLINE)
        monkey.note("all is quiet")
        again = await office.runs(REMINDER["name"])
        assert again["handed_over"] == 0
        await office.close()
        await eventually(partial(quiet, stack, database, office, 37), DEADLINE)
        await each_got_one(stack, database, office)


@contextlib.asynccontextmanager
async def armed(stack: Stack, failpoint: str, folder: Path) -> AsyncIterator[Process]:
    """Start one more worker, which will die at a failpoint, and wait until it works."""
    alive = folder / failpoint
    environment = child_environment(stack.data, stack.data.read(PORTS_FILE) or {})
    environment |= {"ZAHLTAG_FAILPOINT": failpoint, "ZAHLTAG_HEARTBEAT_FILE": str(alive)}
    worker = await asyncio.create_subprocess_exec(sys.executable, "-m", "worker", env=environment)
    try:
        while not heartbeat.is_fresh(alive, worker.pid):  # noqa: ASYNC110 - it is a file
            await asyncio.sleep(0.05)
        yield worker
    finally:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()


async def all_is_told_again(database: Database) -> None:
    """Deliver the whole outbox once more: telling and noting that it was told are two steps."""

    async def told() -> bool | None:
        async with database.engine.connect() as connection:
            left = await connection.scalar(
                text("select count(*) from outbox where delivered_at is null")
            )
        return True if left == 0 else None

    async with database.engine.begin() as connection:
        await connection.execute(text("update outbox set delivered_at = null, due_at = now()"))
    await eventually(told, PATIENCE)


async def make_older(database: Database) -> None:
    """Open all cases an hour earlier: the sweeper leaves those of the last seconds alone."""
    earlier = "update case_file set opened_at = opened_at - interval '1 hour'"
    async with database.engine.begin() as connection:
        await connection.execute(text(earlier))


async def _rest(stack: Stack, case_ids: set[str]) -> bool | None:
    """Whether these cases have taken in what they were told, and wait."""
    client = await connect(stack.settings)
    for case_id in case_ids:
        now = (await client.get_workflow_handle(case_id).describe()).raw_description
        if now.HasField("pending_workflow_task") or now.pending_activities:
            return None
    return True


async def _run(stack: Stack, case_ids: set[str]) -> bool | None:
    """Whether exactly these cases of the shop, and of customers in arrears, are running."""
    client = await connect(stack.settings)
    ours = "(Channel = 'lost' or WorkflowType = 'DunningCase')"
    running = client.list_workflows(f"ExecutionStatus = 'Running' and {ours}")
    return True if {execution.id async for execution in running} == case_ids else None


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


@contextlib.asynccontextmanager
async def facts(stack: Stack) -> AsyncIterator[Database]:
    """The database behind the API."""
    database = Database.connect(stack.settings)
    try:
        yield database
    finally:
        await database.close()


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
    async with facts(stack) as database:
        for buying in crowd.buyings:
            await happened_once(database, buying)
        mails_arrived_once(stack.settings, crowd)
        client = await connect(stack.settings)
        await check(database, mailbox=stack.settings.mailbox_dir, client=client)


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
    assert set(Counter(mail.message_id for mail in mails).values()) == {1}
    arrived = Counter((mail.case_id, mail.kind) for mail in mails)
    for buying in crowd.buyings:
        kinds = {kind: n for (case_id, kind), n in arrived.items() if case_id == buying.case_id}
        assert kinds == MAILS[buying.sample], buying
