"""Plays stories of cases to their end: what people, the bank and a shop do each time a case waits."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.testing import WorkflowEnvironment

from domain.order_case import Step, WaitingFor
from models.messages import Command, Progress
from tests.workflows.house import SAMPLES, House
from tests.workflows.saga_stage import WHY, Stage, Strike, Track

_PLACED = datetime.fromisoformat("2026-11-16T08:00:00+01:00")
_NUMBERS = itertools.count()


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
        meanwhile, decisions = list(story.meanwhile), 0
        while True:
            progress = await track.rest(decisions)
            waiting = progress.plan.waiting_for
            if progress.plan.step is Step.WAIT:
                here = track.awaited(f"wait.{waiting}.{progress.plan.status}")
                if strike and not strike.struck and strike.at == here:
                    await strike.happen(case_id)
            if strike and strike.is_left_behind:
                strike.settled = True
                decisions = track.decisions + 1
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
