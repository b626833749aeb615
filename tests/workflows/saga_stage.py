"""Hears what every case does, and strikes one step of it: holds it, or makes it fail for good."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.failpoints import Passage, Point, Points
from domain.errors import ConflictError, RefusedError
from domain.order_case import Step
from models.messages import DecisionRequest, Progress, StepRequest

# Long enough for a cancellation to reach the server, or the database, while a step is held.
HELD = 0.15
PATIENCE = 20.0
WHY = "struck by a test"

# What somebody hears whose cancellation comes too late.
REFUSALS = (ConflictError, RPCError, WorkflowUpdateFailedError)

Happening = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Await:
    """One place where the workflow of a case awaits something: the nth time it does."""

    name: str
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.name}:{self.nth}"

    @property
    def is_wait(self) -> bool:
        """Whether it waits for the world, not for a step of its own."""
        return self.name.startswith("wait.")


@dataclass
class Strike:
    """What happens at which point of which await. A failure is final: nobody repeats it."""

    at: Await
    point: Point
    what: Happening | None
    struck: bool = False
    asking: asyncio.Task[object] | None = None
    settled: bool = False

    @property
    def is_left_behind(self) -> bool:
        """Whether it made a step fail that holds no case up: a person has to think of it."""
        failed = self.struck and self.what is None
        return failed and self.at.name == Step.UPDATE_DEAL and not self.settled

    async def was_refused(self) -> bool:
        """Wait for the end of what was asked for; whether the asker was told that it is too late."""
        assert self.asking
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({self.asking})
        error = self.asking.exception()
        if error and not isinstance(error, REFUSALS):
            raise error
        return error is not None

    async def happen(self, case_id: str) -> None:
        """Let it happen while the step is held here; what takes longer goes on beside it."""
        self.struck = True
        if self.what is None:
            raise RefusedError(f"{WHY}.")
        self.asking = asyncio.create_task(_of(self.what(case_id)))
        await asyncio.wait({self.asking}, timeout=HELD)


async def _of(happening: Awaitable[object]) -> object:
    return await happening


@dataclass
class Track:
    """What is known of one case: its awaits in order, the steps that were done, its rests."""

    awaits: list[Await] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    rests: asyncio.Queue[tuple[int, Progress]] = field(default_factory=asyncio.Queue)
    strike: Strike | None = None
    _keys: set[tuple[str, Point | Step]] = field(default_factory=set)

    def awaited(self, name: str) -> Await:
        """Note the next await of that name."""
        nth = 1 + sum(known.name == name for known in self.awaits)
        self.awaits.append(Await(name, nth))
        return self.awaits[-1]

    async def passed(self, passage: Passage) -> None:
        """Take note of a step's passage, and strike if it is the time."""
        request: StepRequest | DecisionRequest = passage.request
        name = variant(request)
        if self._is_first(request.key, passage.point):
            if passage.point is Point.BEFORE_EFFECT:
                self.awaited(name)
            elif passage.point is Point.BEFORE_RETURN:
                self.done.append(name)
        strike = self.strike
        if strike is None or strike.struck:
            return
        if (self._now(name), passage.point) == (strike.at, strike.point):
            await strike.happen(request.case_id)

    @property
    def decisions(self) -> int:
        """How many decisions of people the case has taken."""
        return sum(name.startswith("take_decision") for name in self.done)

    def answered(self, key: str, progress: Progress) -> None:
        """Take note of a step's answer; on a slow machine there may be a second one to it."""
        step = progress.plan.step
        if step in {Step.WAIT, Step.END} and self._is_first(key, step):
            self.rests.put_nowait((self.decisions, progress))

    def _is_first(self, key: str, what: Point | Step) -> bool:
        known = (key, what) in self._keys
        self._keys.add((key, what))
        return not known

    def _now(self, name: str) -> Await:
        return Await(name, sum(known.name == name for known in self.awaits))

    async def rest(self, decisions: int) -> Progress:
        """Wait until the case waits or has ended after so many decisions; return its last word.

        A case that was over begins with a look at itself: that is no answer to a decision yet.
        """
        taken = -1
        while taken < decisions or not self.rests.empty():
            taken, progress = await asyncio.wait_for(self.rests.get(), PATIENCE)
        return progress


def variant(request: StepRequest | DecisionRequest) -> str:
    """Name a step as its key does: ``send_email.invoice``."""
    name = request.key.split(":")[1]
    return f"{name}.step_failed" if request.key.endswith(":failed") else name


class Stage(Points):
    """Every case's track."""

    def __init__(self) -> None:
        self.tracks: defaultdict[str, Track] = defaultdict(Track)

    async def passed(self, passage: Passage) -> None:
        """Tell the case's track."""
        await self.tracks[passage.request.case_id].passed(passage)

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Listen to the answers, too."""
        return _Heard(super().intercept_activity(next), self)


class _Heard(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, stage: Stage) -> None:
        super().__init__(inner)
        self._stage = stage

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        progress: Progress = await self.next.execute_activity(input)
        self._stage.tracks[input.args[0].case_id].answered(input.args[0].key, progress)
        return progress
