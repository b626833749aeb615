"""Locks in one order: who waits for a customer or a case waits with empty hands.

So whoever holds the customer may take the case, and whoever holds both all that belongs to it.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager

import asyncpg
import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import TryLaterError
from domain.order_case import Step
from models.store import cases, intake
from tests.activities.driver import SAMPLES, Driver, Occasion
from tests.activities.scenarios import SCENARIOS, decided, next_is
from worker import activities_of

LOCK = {
    "customer": "select id from customer where id ="
    " (select customer_id from case_file where id = :case_id)",
    "case": "select id from case_file where id = :case_id",
}
# What others lock: people (commands), the shop (a newer version), the bank (a payment).
OTHERS = ("sales_order", "case_exception", "task", "approval", "payment", "open_item")
WAITING = text("select count(*) from pg_stat_activity where :pid = any(pg_blocking_pids(pid))")
PATIENCE = 10.0


async def checked_again(driver: Driver) -> Occasion:
    """Let an order whose customer is known be checked once more, because it was corrected."""
    case_id = await driver.submit("zahltag-ok")
    await driver.until(case_id, Step.CREATE_INVOICE)
    await decided(driver, case_id, "correct", **{"billing.city": "Essen"})
    return await next_is(driver, case_id, Step.VALIDATE_CUSTOMER)


STEPS = [activity.__name__ for activity in activities_of(None)]  # type: ignore[arg-type]
# Of each step one, and those of its kinds that change more than the others.
NAMES = {next(name for name in SCENARIOS if name.split(".")[0] == step) for step in STEPS}
NAMES |= {"validate_customer.with_findings", "create_task.step_failed"}
NAMES |= {"take_decision.approve", "take_decision.retry", "take_decision.cancel"}
OCCASIONS = {name: made for name, made in SCENARIOS.items() if name in NAMES}
OCCASIONS["validate_customer.again"] = checked_again
UNCHECKED = {"validate_customer", "validate_customer.with_findings", "take_decision.correct"}
MEETINGS = [(n, held) for n in OCCASIONS for held in LOCK if held == "case" or n not in UNCHECKED]


@pytest.mark.parametrize(("name", "held"), MEETINGS)
async def test_it_waits_with_empty_hands(driver: Driver, name: str, held: str) -> None:
    """Somebody else has the customer or the case, and then takes all that belongs to the case."""
    occasion = await OCCASIONS[name](driver)
    case_id: str = occasion.request.case_id  # type: ignore[attr-defined]
    async with somebody(driver) as other:
        assert (await other.execute(locking(LOCK[held]), {"case_id": case_id})).all()
        step = asyncio.create_task(driver.attempt(occasion))
        await waits_for(other, step, driver)
        if held == "customer":
            await take(other, "case_file", "id", case_id)
        for table in OTHERS:
            await take(other, table, "case_id", case_id)
    await asyncio.wait_for(step, PATIENCE)


async def test_an_invoice_is_made_of_the_order_that_was_checked(driver: Driver) -> None:
    """The shop's newer version is being stored when the invoice is to be made: it is checked."""
    case_id = await driver.submit("zahltag-ok")
    request = driver.request(case_id, await driver.until(case_id, Step.CREATE_INVOICE))
    async with somebody(driver) as shop:
        await newer_version(driver, shop)
        step = asyncio.create_task(driver.activity(Step.CREATE_INVOICE)(request))
        await waits_for(shop, step, driver)
    assert (await step).plan.step is Step.VALIDATE_CUSTOMER
    assert not await rows(driver, "select id from invoice")


@pytest.mark.parametrize("taken", [False, True])
async def test_who_waited_for_the_check_has_the_customer_too(
    driver: Driver, *, taken: bool
) -> None:
    """If somebody else has that customer, who may want the case: it is broken off, never waits."""
    case_id = await driver.submit("zahltag-ok")
    await driver.until(case_id, Step.CREATE_INVOICE)
    forget = text("update case_file set customer_id = null where id = :case_id")
    know = text("update case_file set customer_id = (select id from customer) where id = :case_id")
    async with somebody(driver) as session:
        await session.execute(forget, {"case_id": case_id})
    async with somebody(driver) as third:
        if taken:
            await third.execute(locking("select id from customer"))
        async with somebody(driver) as check:
            await check.execute(know, {"case_id": case_id})
            waiting = asyncio.create_task(lock_and_look(driver, case_id))
            await waits_for(check, waiting, driver)
        if taken:
            with pytest.raises(TryLaterError):
                await waiting
        else:
            assert await waiting == 0


async def lock_and_look(driver: Driver, case_id: str) -> int:
    """Lock a case as everybody does; return how many customers are free then."""
    async with somebody(driver) as session:
        await cases.lock(session, case_id)
        async with somebody(driver) as other:
            free = await other.execute(locking("select id from customer", "skip locked"))
            return len(free.all())


async def newer_version(driver: Driver, session: AsyncSession) -> None:
    """Let the shop send the order once more, with another address."""
    address = json.loads((SAMPLES / "zahltag-ok.json").read_text())["billing_address"]
    _, outcome = await driver.takes_in(
        session,
        "zahltag-ok",
        modified_at="2026-12-01T12:00:00+01:00",
        billing_address=address | {"city": "Essen"},
    )
    assert outcome is intake.Outcome.CHANGED


def somebody(driver: Driver) -> AbstractAsyncContextManager[AsyncSession]:
    """Be somebody else: a transaction of its own."""
    return driver.services.database.transaction()


def locking(query: str, how: str = "") -> object:
    """Return the query as it locks what it finds."""
    return text(f"{query} for no key update {how}")


async def waits_for(other: AsyncSession, task: asyncio.Task[object], driver: Driver) -> None:
    """Return once somebody waits for what that transaction has."""
    pid = (await other.execute(text("select pg_backend_pid()"))).scalar_one()
    async with asyncio.timeout(PATIENCE), driver.services.database.engine.connect() as onlooker:
        while not (await onlooker.execute(WAITING, {"pid": pid})).scalar_one():
            assert not task.done(), "it went on with what somebody else has"
            await asyncio.wait({task}, timeout=0.01)


async def take(session: AsyncSession, table: str, column: str, case_id: str) -> None:
    """Lock rows of a case; AssertionError where another transaction has some of them."""
    query = locking(f"select from {table} where {column} = :case_id", "nowait")
    try:
        await session.execute(query, {"case_id": case_id})
    except Exception as error:
        state = getattr(getattr(error, "orig", error), "sqlstate", "")
        if state != asyncpg.LockNotAvailableError.sqlstate:
            raise
        raise AssertionError(f"it waits, and has rows of {table}") from error


async def rows(driver: Driver, query: str) -> list[object]:
    """Return what a query finds."""
    async with somebody(driver) as session:
        return list((await session.execute(text(query))).all())
