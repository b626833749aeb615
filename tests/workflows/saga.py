"""Plays stories of cases and strikes at one await of them: what happened, and in which order.

A ``Stage`` surrounds every activity of a worker. It hears what each case does, and lets a test hold
one step at one point, to let something else happen meanwhile, or make the step fail for good.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.failpoints import Passage, Point, Points
from domain.errors import ConflictError, RefusedError
from domain.order_case import Step, WaitingFor
from models.messages import Command, DecisionRequest, Progress, StepRequest
from tests.workflows.house import SAMPLES, House

# Long enough for a cancellation to reach the server, or the database, while a step is held.
HELD = 0.15
PATIENCE = 20.0
WHY = "struck by a test"
_PLACED = datetime.fromisoformat("2026-11-16T08:00:00+01:00")
_NUMBERS = itertools.count()

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
    rests: asyncio.Queue[Progress] = field(default_factory=asyncio.Queue)
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

    def answered(self, key: str, progress: Progress) -> None:
        """Take note of a step's answer; on a slow machine there may be a second one to it."""
        step = progress.plan.step
        if step in {Step.WAIT, Step.END} and self._is_first(key, step):
            self.rests.put_nowait(progress)

    def _is_first(self, key: str, what: Point | Step) -> bool:
        known = (key, what) in self._keys
        self._keys.add((key, what))
        return not known

    def _now(self, name: str) -> Await:
        return Await(name, sum(known.name == name for known in self.awaits))

    async def rest(self) -> Progress:
        """Wait until the case waits or has ended; return its last word."""
        progress = await asyncio.wait_for(self.rests.get(), PATIENCE)
        while not self.rests.empty():
            progress = self.rests.get_nowait()
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


@dataclass(frozen=True, slots=True)
class Story:
    """An order, and what people and the bank do each time that it waits for its money."""

    name: str
    sample: str = "zahltag-ok"
    meanwhile: tuple[str, ...] = ()


@dataclass(frozen=True)
class Theatre:
    """Where stories are played: a house, its stage, and the server that moves the clocks."""

    house: House
    stage: Stage
    temporal: WorkflowEnvironment

    async def play(self, story: Story, strike: Strike | None = None) -> tuple[str, Track]:
        """Play a story to its end; return its case and what happened. AssertionError if it hangs."""
        case_id, track = self._cast(story, strike)
        taken = await self.house.submit(story.sample, **_order(story.sample, case_id))
        assert taken == case_id
        try:
            await self._go_on(story, strike, case_id, track)
        except TimeoutError:
            file = await self.house.case(case_id)
            after = ", ".join(map(str, track.awaits))
            raise AssertionError(
                f"{case_id} hangs as {file.status} ({file.next_step}) after {after}"
            ) from None
        return case_id, track

    async def _go_on(self, story: Story, strike: Strike | None, case_id: str, track: Track) -> None:
        meanwhile = list(story.meanwhile)
        while True:
            progress = await track.rest()
            waiting = progress.plan.waiting_for
            if progress.plan.step is Step.WAIT:
                here = track.awaited(f"wait.{waiting}.{progress.plan.status}")
                if strike and not strike.struck and strike.at == here:
                    await strike.happen(case_id)
            if strike and strike.is_left_behind:
                strike.settled = True
                await self.house.decide(case_id, "retry")
                continue
            if strike and strike.asking and not strike.settled:
                strike.settled = True
                if not await strike.was_refused():
                    return
            if progress.plan.step is Step.END:
                return
            await self._answer(case_id, progress, meanwhile)

    def _cast(self, story: Story, strike: Strike | None) -> tuple[str, Track]:
        number = f"{next(_NUMBERS)}"
        if not story.sample.startswith("crm"):  # which numbers its deals, and nothing else
            number = f"{story.name}-{number}"
        case_id = f"order-{self.house.channel}-{number}"
        track = self.stage.tracks[case_id]
        track.strike = strike
        return case_id, track

    async def _answer(self, case_id: str, progress: Progress, meanwhile: list[str]) -> None:
        house, waiting = self.house, progress.plan.waiting_for
        if waiting is WaitingFor.CORRECTION:
            fields = {problem.field: "19" for problem in await house.problems(case_id)}
            await house.decide(case_id, "correct", **fields)
        elif waiting is WaitingFor.APPROVAL:
            await house.decide(case_id, "approve", by="admin")
        elif waiting is WaitingFor.RETRY:
            await house.decide(case_id, "retry")
        else:
            await self._meanwhile(case_id, progress, meanwhile.pop(0) if meanwhile else "pay")

    async def _meanwhile(self, case_id: str, progress: Progress, what: str) -> None:
        match what.split():
            case ["extend"]:
                assert progress.due_date
                due = progress.due_date + timedelta(days=14)
                await self.house.decide(case_id, "extend", due=due.isoformat())
            case ["propose"]:
                await self.house.decide(case_id, "write_off", reason="insolvent")
            case ["cancel"]:
                await self.house.decide(case_id, "cancel", reason=WHY)
            case ["nothing"]:
                await self.temporal.fast_forward(self.house.workflow(case_id), timedelta(days=50))
            case ["pay", amount]:
                await self.house.pay(case_id, amount)
            case _:
                await self.house.pay(case_id, f"{progress.amount_due:.2f}")

    # Three ways to cancel, each to its end: an error says that it was refused ------------------

    async def by_update(self, case_id: str) -> None:
        """Cancel by the update, as ``temporal workflow update`` does."""
        command = Command(id=f"cancel-{next(_NUMBERS)}", by="olga", reason=WHY)
        await self.house.workflow(case_id).execute_update("cancel", command)
        await self.house.reaches(case_id, "cancelled")

    async def in_the_web_ui(self, case_id: str) -> None:
        """Cancel the workflow itself; nobody is told whether the case could heed it."""
        await self.house.workflow(case_id).cancel(reason=WHY)
        await self.house.workflow(case_id).result()

    async def by_api(self, case_id: str) -> None:
        """Cancel by the API: stored first, then told."""
        await self.house.decide(case_id, "cancel", reason=WHY)
        await self.house.reaches(case_id, "cancelled")


def _order(sample: str, case_id: str) -> dict[str, Any]:
    """Make an order of a sample's kind that is nobody else's."""
    document = json.loads((SAMPLES / f"{sample}.json").read_text())
    number = case_id.split("-", 2)[2]
    place = int(number.rsplit("-", 1)[-1])
    placed = (_PLACED + timedelta(minutes=11 * place)).isoformat()
    if sample.startswith("crm"):
        properties = document["deal"]["properties"] | {"closedate": placed}
        return {"deal": document["deal"] | {"id": number, "properties": properties}}
    buyer = document["buyer"] | {"customer_id": number, "email": f"{number}@buyers.example"}
    buyer.pop("vat_id", None)
    payment = document["payment"]
    if "transaction_id" in payment:
        payment = payment | {"transaction_id": f"tx-{number}"}
    return {
        "order_no": number,
        "external_id": number,
        "placed_at": placed,
        "buyer": buyer,
        "payment": payment,
    }
