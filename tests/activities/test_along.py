"""What a step brings along: the same in the end as step by step, whatever goes wrong in between."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

import asyncpg
import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from activities.failpoints import DIED, Armed, Failpoint, Mode, Point
from domain.order_case import Step
from models.messages import Progress, StepRequest
from models.store import cases
from models.store.sql import Statement
from tests.activities.books import Books, Kept, difference, without_numbers
from tests.activities.driver import Driver, Occasion
from tests.activities.mortal import Life, Mortals, mortals
from tests.activities.scenarios import SCENARIOS
from tests.activities.test_faults import unarmed, until_done

# The invoice's mail with due date and task; the confirmation with the end of the case.
BRINGING = ("send_email.invoice", "send_email.payment_confirmation")
# They depend on numbers that a rolled back transaction has used up.
_HASHES = re.compile(r'(?<=request_sha256": ")[0-9a-f]{64}|(?<=<)[0-9a-f]{32}(?=@)')


@pytest_asyncio.fixture(scope="module")
async def deaths() -> AsyncIterator[Mortals]:
    """Where processes die."""
    async with mortals() as made:
        yield made


@pytest.mark.parametrize("name", BRINGING)
async def test_what_comes_along_is_the_same_after_whatever_fault(
    driver: Driver, deaths: Mortals, name: str
) -> None:
    """The rows and mails of single steps; each failpoint, and the workflow goes on to rest."""
    alone = await SCENARIOS[name](driver)
    occasion = replace(alone, together=True)
    folder, letters = driver.mailbox, driver.services.settings.letter_spool_dir
    assert folder
    assert letters
    kept = await Kept.now(driver.services.database, folder, letters, driver.crm)
    plan, steps = await to_rest(driver, alone)
    lines = await books(kept)
    await kept.bring_back()
    watching = unarmed(occasion)
    along = await to_rest(driver, occasion, watching)
    assert along == (plan, [occasion.activity])
    assert len(steps) > 1
    broken = difference(lines, await books(kept))

    for failpoint in faults(occasion, watching.passages):
        await kept.bring_back()
        await strike(driver, deaths, occasion, failpoint)
        ended, _ = await to_rest(driver, occasion)
        wrong = [] if ended == plan else [f"plan: {ended}, not {plan}"]
        wrong += difference(lines, await books(kept))
        broken += [f"{failpoint}: {what}" for what in wrong]

    assert not broken, "\n".join(broken)


async def test_customer_and_case_are_both_locked(driver: Driver) -> None:
    """What is planned for them holds until the transaction ends."""
    case_id = (await SCENARIOS["send_email.invoice"](driver)).request.case_id
    database = driver.services.database
    async with database.transaction() as session:
        await cases.lock(session, case_id)
        for table in ("customer", "case_file"):
            with pytest.raises(asyncpg.LockNotAvailableError):
                async with database.transaction() as other:
                    await Statement(f"select from {table} for update nowait").run(other)


async def strike(driver: Driver, deaths: Mortals, occasion: Occasion, failpoint: Failpoint) -> None:
    """Let the fault happen; what was brought along may fail without the step's failing."""
    if failpoint.mode is Mode.EXIT:
        life = Life(driver.services.settings, occasion, failpoint)
        assert await deaths.live(life) == DIED
        return
    struck = Armed(failpoint)
    try:
        await until_done(driver, struck, occasion)
    except ApplicationError:
        assert failpoint.mode is Mode.RAISE
    assert struck.passages.count(failpoint.point) >= failpoint.nth


async def to_rest(
    driver: Driver, occasion: Occasion, points: Armed | None = None
) -> tuple[str, list[str]]:
    """Go on as the workflow does until the case waits or ends; return its plan and the steps."""
    steps = list[str]()
    while True:
        steps.append(occasion.activity)
        progress: Progress = await until_done(driver, points or unarmed(occasion), occasion)
        plan = progress.plan
        if plan.step in {Step.WAIT, Step.END}:
            return without_numbers(progress.model_dump_json()), steps
        request = StepRequest.of(occasion.request.case_id, plan, occasion.request.at)
        occasion = replace(occasion, activity=plan.step.value, request=request)


def faults(occasion: Occasion, passages: Sequence[Point]) -> Iterator[Failpoint]:
    """Yield every way to strike the step, by the points that it passed."""
    others = itertools.cycle((Mode.RAISE, Mode.DUPLICATE))
    for point, times in Counter(passages).items():
        for nth in range(1, times + 1):
            for mode in (Mode.EXIT, next(others)):
                yield Failpoint(point, occasion.activity, mode, nth)


async def books(kept: Kept) -> Books:
    """Return what is there, without hashes of numbers that the database gives."""
    found = Counter[str]()
    for line, times in (await kept.books()).items():
        found[_HASHES.sub("#", line)] += times
    return found
