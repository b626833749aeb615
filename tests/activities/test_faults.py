"""Every effect, struck at every failpoint in every mode, ends as if nothing had happened.

Processes really die: each in a child of its own (``tests/activities/mortal.py``) over the real
database and a real SMTP mailbox. Then the effect is tried again, as Temporal would.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from activities.failpoints import DIED, Armed, Failpoint, Mode, Point, StruckError
from models.messages import Message
from tests.activities import dunning_scenarios, run_scenarios  # noqa: F401 - enter theirs
from tests.activities.books import Books, Kept, difference, without_numbers
from tests.activities.driver import Driver, every_activity, run_surrounded
from tests.activities.mortal import Life, Mortals, mortals
from tests.activities.scenarios import SCENARIOS, Occasion, needed
from tests.invariants import check

NAMES = list(every_activity(None))  # type: ignore[arg-type]
# A refusal is final: what becomes of it is the workflow's business (tests/workflows/test_saga.py).
MODES = (Mode.EXIT, Mode.RAISE, Mode.DUPLICATE)
# All mails go through the same protocol: one kind is struck everywhere in every mode, the others
# only die at its named points.
MAILS = {name for name in SCENARIOS if name.startswith("send_email.")} - {"send_email.invoice"}
MAILS |= {"send_notice.instalments"}
# It goes twice through what the mail and the letter are struck in: here it only dies.
ONLY_DIES = MAILS | {"send_notice.refused"}
COMMITS = {Point.BEFORE_COMMIT, Point.AFTER_COMMIT}


@pytest_asyncio.fixture(scope="module")
async def deaths() -> AsyncIterator[Mortals]:
    """Where processes die."""
    async with mortals() as made:
        yield made


def test_every_effect_has_its_scenario() -> None:
    """A new activity, mail, task or decision has to show that no fault loses or doubles it."""
    missing = [name for name in needed(NAMES) if name not in SCENARIOS]
    assert not missing, f"Write a scenario in tests/activities/scenarios.py for: {missing}"


@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_fault_changes_nothing_in_the_end(
    driver: Driver, deaths: Mortals, name: str
) -> None:
    """The same rows, the same mails, the same plan; after whatever, wherever."""
    trial = await trial_of(driver, deaths, await SCENARIOS[name](driver))
    broken = []
    for failpoint in faults(name, trial):
        try:
            await trial.strike(failpoint)
            broken += [f"{failpoint}: {what}" for what in await trial.outcome()]
        except Exception as error:  # noqa: BLE001 - all of them are told at the end
            broken.append(f"{failpoint}: {error!r}")
    assert not broken, "\n".join(broken)


def faults(name: str, trial: Trial) -> Iterator[Failpoint]:
    """Yield every way to strike an effect, by the points that it passed."""
    assert {Point.BEFORE_EFFECT, Point.AFTER_COMMIT, Point.BEFORE_RETURN} <= set(trial.passages)
    for point, times in Counter(trial.passages).items():
        if name in MAILS and point in COMMITS:
            continue
        for nth in range(1, times + 1):
            for mode in (Mode.EXIT,) if name in ONLY_DIES else MODES:
                yield Failpoint(point, trial.occasion.activity, mode, nth)


@dataclass(frozen=True, slots=True)
class Trial:
    """One effect at its turn, struck again and again, each time from the same moment.

    ``plan`` and ``lines`` are what it leaves behind without a fault; ``passages`` where it passes.
    """

    driver: Driver
    deaths: Mortals
    occasion: Occasion
    kept: Kept
    passages: Sequence[Point]
    plan: str
    lines: Books

    async def strike(self, failpoint: Failpoint) -> None:
        """Go back to before the effect, and let the fault happen in it."""
        await self.kept.bring_back()
        if failpoint.mode is Mode.EXIT:
            life = Life(self.driver.services.settings, self.occasion, failpoint)
            assert await self.deaths.live(life) == DIED
        elif failpoint.mode is Mode.RAISE:
            with pytest.raises(ApplicationError, match=StruckError.__name__):
                await run_surrounded(self.driver.services, Armed(failpoint), self.occasion)
        else:
            struck = Armed(failpoint)
            await until_done(self.driver, struck, self.occasion)
            assert struck.passages.count(failpoint.point) >= failpoint.nth

    async def outcome(self) -> list[str]:
        """Try the effect again; say what is not as it is without a fault."""
        plan = _plan(await until_done(self.driver, unarmed(self.occasion), self.occasion))
        wrong = [] if plan == self.plan else [f"plan: {plan}, not {self.plan}"]
        return wrong + difference(self.lines, await self.kept.books())


async def trial_of(driver: Driver, deaths: Mortals, occasion: Occasion) -> Trial:
    """Learn what happens, and where it passes, when nothing goes wrong."""
    database, folder = driver.services.database, driver.mailbox
    letters = driver.services.settings.letter_spool_dir
    assert folder
    assert letters
    kept = await Kept.now(database, folder, letters, driver.crm)
    await deaths.rehearse(driver.services.settings, occasion)
    await kept.bring_back()
    watching = unarmed(occasion)
    plan = _plan(await run_surrounded(driver.services, watching, occasion))
    await check(database, mailbox=folder)
    lines = await kept.books()
    return Trial(driver, deaths, occasion, kept, watching.passages, plan, lines)


def unarmed(occasion: Occasion) -> Armed:
    """Return a failpoint that is never reached, and only watches."""
    return Armed(Failpoint(Point.BEFORE_RETURN, occasion.activity, Mode.RAISE, nth=10**6))


async def until_done(driver: Driver, points: Armed, occasion: Occasion) -> Message | bool:
    """Repeat as Temporal does: who is told to come later, comes again."""
    while True:
        try:
            return await run_surrounded(driver.services, points, occasion)
        except ApplicationError as error:
            if error.type != "TryLater":
                raise
            await asyncio.sleep(0.01)


def _plan(answer: Message | bool) -> str:  # noqa: FBT001 - what activities answer
    said = answer.model_dump_json() if isinstance(answer, Message) else str(answer)
    return without_numbers(said)
