"""The saga matrix: a case fails or is cancelled at every single await; what began is undone.

The awaits are not listed here: each story is played once, and every step it took and every wait is
an await to strike at. Awaits that an earlier story has are not struck again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest_asyncio
from temporalio.testing import WorkflowEnvironment

from activities.failpoints import Point
from domain.company import Company
from models.settings import Settings
from models.store.database import Database
from tests.crm_server import Crm, connect
from tests.invariants import check
from tests.workflows.opening import open_house
from tests.workflows.saga import Story, Theatre
from tests.workflows.saga_endings import Ending, broken_workflows, endings
from tests.workflows.saga_stage import Await, Happening, Stage, Strike, Track
from workflows.policies import POLICIES

AT_ONCE = 12
STORIES = (
    Story("parts", meanwhile=("pay 19.00",)),
    Story("risky", "zahltag-risk"),
    Story("wrong", "zahltag-missing-tax-rate"),
    Story("unpaid", "zahltag-payment-failed"),
    Story("moved", meanwhile=("extend",)),
    Story("generous", meanwhile=("pay 150.00",)),
    Story("lost", meanwhile=("propose",)),
    Story("late", meanwhile=("nothing",)),
    Story("deal", "crm-ok"),
)
UNDONE = Story("undone", meanwhile=("pay 19.00", "cancel"))
# The order in which a case is undone; its end is ``close_case``.
UNDO = ("close_tasks", "cancel_invoice", "create_task.refund", "send_email.cancellation")
POINTS = BEFORE, DURING, AFTER = Point.BEFORE_EFFECT, Point.BEFORE_COMMIT, Point.BEFORE_RETURN
# At these a cancellation may come too late: a local step is one moment for Temporal, and what was
# written off and closed is over.
CLOSING = {"close_case", "write_off"}
# What an order that was cancelled leaves in the books: nothing but the money itself.
MONEY = {"clearing", "unallocated"}


@pytest_asyncio.fixture
async def theatre(
    temporal: WorkflowEnvironment,
    database: Database,
    settings: Settings,
    company: Company,
    crm: Crm,
) -> AsyncIterator[Theatre]:
    """Where the stories are played, as in production: with a cache, and without a sandbox.

    But every step goes through Temporal, as it does where it does not succeed at once: so there is
    an await before and after each to strike at.
    A CRM has the deals that the stories may be about.
    """
    stage = Stage()
    async with open_house(
        temporal.client, database, settings, company, points=stage, sandbox=False, together=False
    ) as house:
        await connect(database, house.settings, house.channel, crm)
        for number in range(1000):
            crm.load("crm-ok", id=f"{number}")
        yield Theatre(house, stage, temporal)
    await check(database, mailbox=settings.mailbox_dir)


@dataclass(frozen=True)
class Plan:
    """A story, where it is struck, and by what."""

    story: Story
    strike: Strike | None = None
    by: str = ""

    def __str__(self) -> str:
        at = f"{self.strike.at} {self.strike.point}" if self.strike else ""
        return f"{self.story.name} {at} {self.by}"


@dataclass(frozen=True)
class Play:
    """A plan that was played, and what it has left behind."""

    plan: Plan
    track: Track
    ending: Ending


async def play_all(theatre: Theatre, plans: list[Plan]) -> list[Play]:
    """Play them beside each other; no workflow task may fail in any."""
    places = asyncio.Semaphore(AT_ONCE)

    async def play(plan: Plan) -> tuple[str, Track]:
        async with places:
            return await theatre.play(plan.story, plan.strike)

    outcomes = await asyncio.gather(*map(play, plans), return_exceptions=True)
    ended = zip(plans, outcomes, strict=True)
    hanging = [f"{plan}: {error}" for plan, error in ended if isinstance(error, BaseException)]
    assert not hanging, "\n".join(hanging)
    played = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    case_ids = [case_id for case_id, _ in played]
    found = await endings(theatre.house, case_ids)
    broken = await broken_workflows(theatre.house, case_ids)
    broken += [f"{p}: never reached" for p in plans if p.strike and not p.strike.struck]
    assert not broken, "\n".join(broken)
    return [Play(p, t, e) for p, (_, t), e in zip(plans, played, found, strict=True)]


async def rehearse(theatre: Theatre) -> list[Play]:
    """Play every story once as it is meant; once for all tests."""
    if not _rehearsed:
        _rehearsed.extend(await play_all(theatre, [Plan(story) for story in STORIES]))
    return _rehearsed


_rehearsed: list[Play] = []


async def test_cancelled_at_every_await_it_is_undone(theatre: Theatre) -> None:
    """By the update, in the Web UI and by the API; before, during and after each step."""
    rehearsed = await rehearse(theatre)
    ways = list(ways_of(theatre).items())
    # Any three that follow each other have all points and all ways, any nine every pair of them.
    turns = itertools.cycle((POINTS[n % 3], *ways[(n + n // 3) % 3]) for n in range(9))
    plans = [
        Plan(story, Strike(here, BEFORE if here.is_wait else point, way), name)
        for story, here in new_awaits(rehearsed)
        for point, name, way in itertools.islice(turns, how_often(story, here))
    ]

    struck = await play_all(theatre, plans)

    all_are([(play, w) for play in struck for w in not_heeded(play, as_meant(rehearsed))])


async def test_failed_at_every_step_and_retried_it_is_as_if_it_had_not(theatre: Theatre) -> None:
    """Before its effect, in it or after it: a person's retry goes on where the facts stand."""
    rehearsed = await rehearse(theatre)
    turns = itertools.cycle(POINTS)
    plans = [
        Plan(story, Strike(here, next(turns), None), "fails")
        for story, here in new_awaits(rehearsed)
        if can_fail(here)
    ]

    struck = await play_all(theatre, plans)

    all_are([(play, w) for play in struck for w in other_than(as_meant(rehearsed), play)])


async def test_struck_while_it_is_undone_it_is_undone_all_the_same(theatre: Theatre) -> None:
    """A step of the undoing fails, or a second cancellation comes: the others go on, all is done."""
    (meant,) = await play_all(theatre, [Plan(UNDONE)])
    all_are([(meant, w) for w in not_undone(meant)])
    steps = meant.track.awaits[meant.track.awaits.index(Await("take_decision.cancel")) + 1 :]
    assert [step.name for step in steps] == [*UNDO, "close_case"]
    ways = itertools.cycle(ways_of(theatre).items())
    again = [Plan(UNDONE, Strike(s, DURING, w), n) for s, (n, w) in zip(steps, ways, strict=False)]
    points = itertools.cycle((DURING, AFTER))
    fails = [Plan(UNDONE, Strike(s, p, None), "fails") for s, p in zip(steps, points, strict=False)]

    struck = await play_all(theatre, again + fails)

    all_are([(play, w) for play in struck for w in not_undone(play)])


def ways_of(theatre: Theatre) -> dict[str, Happening]:
    """The ways to cancel."""
    return {"update": theatre.by_update, "ui": theatre.in_the_web_ui, "api": theatre.by_api}


def new_awaits(rehearsed: list[Play]) -> Iterator[tuple[Story, Await]]:
    """Yield each await of the first story, then those that no story before has."""
    known: set[str] = set()
    for play in rehearsed:
        new = [here for here in play.track.awaits if here.name not in known]
        known |= {here.name for here in new}
        yield from ((play.plan.story, here) for here in new)


def how_often(story: Story, here: Await) -> int:
    """How many strikes an await gets: one at each point, where others see much of it.

    Those are the first story's documents and mails, and where a cancellation may come too late.
    """
    visible = story is STORIES[0] and not here.is_wait and not is_local(here)
    return len(POINTS) if visible or here.name in CLOSING else 1


def is_local(here: Await) -> bool:
    """Whether the step runs inside the workflow task."""
    return POLICIES[here.name.split(".")[0]].local


def can_fail(here: Await) -> bool:
    """Whether it can fail. A decision that is refused is an answer to a person, no failure."""
    return not here.is_wait and not here.name.startswith("take_decision")


def all_are(wrong: list[tuple[Play, str]]) -> None:
    """Say of which plays something is wrong."""
    assert not wrong, "\n".join(f"{play.plan}: {what}" for play, what in wrong)


def as_meant(rehearsed: list[Play]) -> dict[Story, Ending]:
    """How each story ends if nothing goes wrong."""
    return {play.plan.story: play.ending for play in rehearsed}


def not_heeded(play: Play, meant: dict[Story, Ending]) -> Iterator[str]:
    """Say what is wrong after a cancellation: it is undone, or all is as if nobody had asked.

    The latter only where the case was being closed: then it may have come too late.
    """
    if play.ending.cancelling or play.plan.strike.at.name not in CLOSING:
        yield from not_undone(play)
    else:
        yield from other_than(meant, play)


def not_undone(play: Play) -> Iterator[str]:
    """Say what is not as it has to be after a cancellation."""
    ending = play.ending
    if (ending.status, ending.result) != ("cancelled", "cancelled"):
        yield f"it ended as {ending.status} ({ending.result}) after {play.track.done}"
        return
    yield from _in_another_order(play)
    left = {
        "invoices without a cancellation": ending.invoices["380"] - ending.invoices["384"],
        "mails that came twice": [kind for kind, n in ending.mails.items() if n > 1],
        "open tasks": set(ending.tasks) - {"refund"},
        "payments not on account": ending.payments - ending.on_account,
        "postings": {a for a, sum_ in ending.accounts.items() if sum_} - MONEY,
        "questions to people": ending.waits,
    }
    yield from (f"{name}: {what}" for name, what in left.items() if what)


def _in_another_order(play: Play) -> Iterator[str]:
    """Compare the steps of the undoing with what there was to undo."""
    ending, strike = play.ending, play.plan.strike
    told = set(ending.mails) - {"cancellation"}
    begun = (ending.withdrawn, "380" in ending.invoices, ending.payments, told)
    expected = [
        step
        for step, what in zip(UNDO, begun, strict=True)
        for _ in range(what if isinstance(what, int) else bool(what))
    ]
    if strike and strike.what is None and strike.point is not AFTER:
        # The others went on; it came when a person had asked for it again, and with it the refund
        # of the money that only the cancellation invoice frees.
        late = {strike.at.name}
        late |= {"create_task.refund"} if "cancel_invoice" in late else set()
        expected.sort(key=lambda step: step in late)
    undoing = [step for step in play.track.done if step in {*UNDO, "close_case"}]
    if undoing.count("close_case") == 2:  # it had been closed before, or was about to be
        undoing.remove("close_case")
    if undoing != [*expected, "close_case"]:
        yield f"undone by {play.track.done}, not {expected}"


def other_than(meant: dict[Story, Ending], play: Play) -> Iterator[str]:
    """Say what is not as it is in the story without the strike."""
    for name in Ending.__slots__:
        found, expected = getattr(play.ending, name), getattr(meant[play.plan.story], name)
        if found != expected:
            yield f"{name}: {found}, not {expected}; after {play.track.done}"
