"""Locks in one order: a step that waits for its customer or its case waits with empty hands.

So no step and no person's decision can make a deadlock: whoever holds the customer may take the
case, and whoever holds both everything that belongs to it.
"""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from models.store import cases
from models.store.database import Database
from tests.activities.driver import Driver, Occasion
from tests.activities.scenarios import SCENARIOS
from worker import activities_of

STEPS = {activity.__name__ for activity in activities_of(None)}  # type: ignore[arg-type]
# What others lock: people (commands), the shop (a newer version), the bank (a payment).
OTHERS = ("sales_order", "case_exception", "task", "approval", "payment", "open_item")
WAITING = text("""
select count(*) from pg_stat_activity
where datname = current_database() and wait_event_type = 'Lock'
""")
PATIENCE = 10.0


@pytest.mark.parametrize("held", ["customer", "customer and case"])
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name.split(".")[0] in STEPS])
async def test_it_waits_with_empty_hands(driver: Driver, name: str, held: str) -> None:
    """Somebody else has the customer, or the case as well; then takes all that is left of it."""
    occasion = await SCENARIOS[name](driver)
    case_id, database = case_of(occasion), driver.services.database

    async with database.transaction() as other:
        if held == "customer":
            await cases.lock_customer(other, case_id)
        else:
            await cases.lock_customer_and_case(other, case_id)
        step = asyncio.create_task(driver.attempt(occasion))
        await waits_or_is_done(database, step)
        await take_everything(other, case_id)

    await asyncio.wait_for(step, PATIENCE)


def case_of(occasion: Occasion) -> str:
    """Return the case that a step is about."""
    case_id: str = occasion.request.case_id  # type: ignore[attr-defined]
    return case_id


async def waits_or_is_done(database: Database, step: asyncio.Task[object]) -> None:
    """Return once the step waits for a lock, or does not need one that is taken."""
    async with asyncio.timeout(PATIENCE):
        async with database.engine.connect() as onlooker:
            while not step.done() and not (await onlooker.execute(WAITING)).scalar_one():
                await asyncio.wait({step}, timeout=0.01)


async def take_everything(session: AsyncSession, case_id: str) -> None:
    """Lock the case and all that belongs to it; AssertionError where the step has some of it."""
    wanted = {"case_file": "id"} | dict.fromkeys(OTHERS, "case_id")
    for table, column in wanted.items():
        query = f"select from {table} where {column} = :case_id for no key update nowait"
        try:
            await session.execute(text(query), {"case_id": case_id})
        except Exception as error:
            if getattr(error.__cause__, "sqlstate", "") != asyncpg.LockNotAvailableError.sqlstate:
                raise
            raise AssertionError(f"it waits, and holds rows of {table}") from error
