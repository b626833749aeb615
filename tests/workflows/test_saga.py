"""The saga matrix: a case fails or is cancelled at every single await; what began is undone.

The awaits are not listed here: each story is played once, and every step it took and every wait is
an await to strike at. Awaits that an earlier story has are not struck again.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.failpoints import Point
from tests.workflows.house import House
from tests.workflows.saga import Await, Happening, Stage, Story, Strike, Theatre, Track
from tests.workflows.saga_endings import Ending, endings, failed_tasks
from workflows.policies import POLICIES

# A replay at every step would cost minutes here; test_replay.py replays all kinds of steps. The time
# limit says that a case hangs, no more.
pytestmark = [
    pytest.mark.parametrize("cached_workflows", [1000], ids=["cached"]),
    pytest.mark.timeout(900),
]

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
)
UNDONE = Story("undone", meanwhile=("pay 19.00", "cancel"))
# The order in which a case is undone; its end is ``close_case``.
UNDO = ("close_tasks", "cancel_invoice", "create_task.refund", "send_email.cancellation")
BEFORE, DURING, AFTER = Point.BEFORE_EFFECT, Point.BEFORE_COMMIT, Point.BEFORE_RETURN
# What an order that was cancelled leaves in the books: nothing but the money itself.
MONEY = {"clearing", "unallocated"}


@pytest.fixture
def points() -> Stage:
    """What surrounds the activities of the house."""
    return Stage()


@pytest.fixture
def theatre(house: House, points: Stage, temporal: WorkflowEnvironment) -> Theatre:
    """Where the stories are played."""
    return Theatre(house, points, temporal)


@dataclass(frozen=True)
class Plan:
    """A story, where it is struck, and by what."""

    story: Story
    strike: Strike | None = None
    by: str = ""

    def __str__(self) -> str:
        at = (
            f"{self.strike.at.name}:{self.strike.at.nth} {self.strike.point}" if self.strike else ""
        )
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

    played = await asyncio.gather(*map(play, plans))
    case_ids = [case_id for case_id, _ in played]
    found = await endings(theatre.house, case_ids)
    broken = await failed_tasks(theatre.house, case_ids)
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
    ways = itertools.cycle(ways_of(theatre).items())
    turns = itertools.cycle((BEFORE, DURING, AFTER, AFTER))
    plans = [
        Plan(story, Strike(here, point, way), name)
        for story, here in new_awaits(await rehearse(theatre))
        for point in held_at(story, here, turns)
        for name, way in itertools.islice(ways, 3 if at_length(story, here) else 1)
    ]

    struck = await play_all(theatre, plans)

    all_are([(play, w) for play in struck for w in not_undone(play)])


async def test_failed_at_every_step_and_retried_it_is_as_if_it_had_not(theatre: Theatre) -> None:
    """Before its effect or after it: a person's retry goes on where the facts stand."""
    rehearsed = await rehearse(theatre)
    as_meant = {play.plan.story: play.ending for play in rehearsed}
    plans = [
        Plan(story, Strike(here, point, None), "fails")
        for story, here in new_awaits(rehearsed)
        if can_fail(here)
        for point in ((BEFORE, AFTER) if story is STORIES[0] else (BEFORE,))
    ]

    struck = await play_all(theatre, plans)

    all_are([(play, w) for play in struck for w in other_than(as_meant[play.plan.story], play)])


async def test_struck_while_it_is_undone_it_is_undone_all_the_same(theatre: Theatre) -> None:
    """A step of the undoing fails, or a second cancellation comes: the others go on, all is done."""
    (meant,) = await play_all(theatre, [Plan(UNDONE)])
    all_are([(meant, w) for w in not_undone(meant)])
    steps = meant.track.awaits[meant.track.awaits.index(Await("take_decision.cancel")) + 1 :]
    assert [step.name for step in steps] == [*UNDO, "close_case"]
    ways = itertools.cycle(ways_of(theatre).items())
    again = [Plan(UNDONE, Strike(s, DURING, w), n) for s, (n, w) in zip(steps, ways, strict=False)]
    fails = [Plan(UNDONE, Strike(s, p, None), "fails") for s in steps for p in (BEFORE, AFTER)]

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


def held_at(story: Story, here: Await, turns: Iterator[Point]) -> tuple[Point, ...]:
    """Where an await is held; local steps of later stories take turns, to keep the matrix small."""
    if here.is_wait:
        return (BEFORE,)
    return (BEFORE, DURING, AFTER) if story is STORIES[0] or not is_local(here) else (next(turns),)


def at_length(story: Story, here: Await) -> bool:
    """Whether each way is tried at each point.

    A local step is one moment for Temporal, so there the ways share the points; and so they do in
    all stories but the first.
    """
    return story is STORIES[0] and (here.is_wait or not is_local(here))


def is_local(here: Await) -> bool:
    """Whether the step runs inside the workflow task."""
    return POLICIES[here.name.split(".")[0]].local


def can_fail(here: Await) -> bool:
    """Whether it can fail. A decision that is refused is an answer to a person, no failure."""
    return not here.is_wait and not here.name.startswith("take_decision")


def all_are(wrong: list[tuple[Play, str]]) -> None:
    """Say of which plays something is wrong."""
    assert not wrong, "\n".join(f"{play.plan}: {what}" for play, what in wrong)


def not_undone(play: Play) -> Iterator[str]:
    """Say what is not as it has to be after a cancellation."""
    ending, strike = play.ending, play.plan.strike
    if strike and strike.came_too_late and ending.status == ending.result == "closed":
        return
    if (ending.status, ending.result) != ("cancelled", "cancelled"):
        awaits = [f"{here.name}:{here.nth}" for here in play.track.awaits]
        yield f"it ended as {ending.status} ({ending.result}) after {awaits}"
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
    done = [step for step in play.track.done if not step.startswith("take_decision")]
    if strike and strike.what is None and strike.point is BEFORE and strike.at.name in expected:
        # The others went on; it came when a person had asked for it again.
        expected.remove(strike.at.name)
        expected.append(strike.at.name)
    if [step for step in done if step in UNDO] != expected:
        yield f"undone by {done}, not {expected}"
    if done[-1] != "close_case":
        yield f"its last step was {done[-1]}"


def other_than(meant: Ending, play: Play) -> Iterator[str]:
    """Say what is not as it is in the story without the failure."""
    for name in Ending.__slots__:
        found, expected = getattr(play.ending, name), getattr(meant, name)
        if found != expected:
            yield f"{name}: {found}, not {expected}; after {play.track.done}"
