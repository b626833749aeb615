"""Every process is killed while letters and mails go out: each customer gets exactly one notice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import date
from functools import partial

import pytest
from sqlalchemy import text

from connectors.mailbox import list_mails
from models.store.database import Database
from models.store.dunning.telling import case_id_of
from starter.temporal import connect
from tests.chaos.tally import rest
from tests.crash.conftest import Stack
from tests.crash.debtors import Office
from tests.crash.monkey import Monkey
from tests.crash.test_crash import facts
from tests.invariants import check
from tests.workflows.arrears import REMINDER
from tests.workflows.house import eventually

pytestmark = [pytest.mark.stack, pytest.mark.crash, pytest.mark.timeout(300)]

DEADLINE = 180.0
VICTIMS = ("worker", "postgres", "temporal", "mailbox", "dispatcher", "worker")


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
            people.create_task(monkey.rampage(VICTIMS, pauses=(0.2, 1.0)))
            for number in office.numbers[:3]:
                people.create_task(office.pays(number, "119.00"))
        monkey.note(f"{len(monkey.kills)} kills are over")
        await eventually(partial(quiet, stack, database, 37), DEADLINE)
        monkey.note("all is quiet")
        again = await office.runs(REMINDER["name"])
        assert again["handed_over"] == 0
        await office.close()
        await eventually(partial(quiet, stack, database, 37), DEADLINE)
        await each_got_one(stack, database, office)


async def quiet(stack: Stack, database: Database, least: int) -> bool | None:
    """Whether so many notices went out and nothing is under way any more."""
    async with database.engine.connect() as connection:
        found = (await connection.execute(text(_STANDING))).one()
    if found.sent < least or found.waiting or found.told or found.running:
        return None
    return await rest(await connect(stack.settings)) or None


_STANDING = """select
  (select count(*) from dunning_notice where status = 'sent') as sent,
  (select count(*) from dunning_notice where status in ('proposed', 'approved')) as waiting,
  (select count(*) from outbox where delivered_at is null) as told,
  (select count(*) from dunning_run where finished_at is null) as running"""


async def each_got_one(stack: Stack, database: Database, office: Office) -> None:
    """One notice by the right way; who paid before got none. The ladders say the same."""
    mailbox = stack.settings.mailbox_dir
    assert mailbox
    arrived = Counter(mail.case_id for mail in list_mails(mailbox))
    lines = (stack.data.letters / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    printed = Counter(json.loads(line)["reference"] for line in lines)
    async with database.engine.connect() as connection:
        rows = (await connection.execute(text(_NOTICES))).all()
        open_exceptions = await connection.scalar(
            text("select count(*) from case_exception where resolved_at is null")
        )
    sent = {row.customer_no: row for row in rows}
    for number in office.numbers:
        letters = printed[f"notice-{sent[number].id}"] if number in sent else 0
        mails, by_letter = arrived[case_id_of(number)], office.gets_letters(number)
        if number in office.numbers[:3]:
            assert mails + letters <= 1, number
        else:
            assert (mails, letters) == ((0, 1) if by_letter else (1, 0)), number
            assert (sent[number].level, sent[number].notices_count) == (1, 1), number
    assert len(rows) == len(sent)
    assert open_exceptions == 0
    await check(
        database,
        mailbox=mailbox,
        client=await connect(stack.settings),
        spool=stack.data.letters,
        today=date.today(),  # noqa: DTZ011 - the stack's own
    )


_NOTICES = """select n.id, c.customer_no, k.level, k.notices_count
from dunning_notice n join customer c on c.id = n.customer_id
join dunning_case k on k.id = n.dunning_case_id where n.status = 'sent'"""
