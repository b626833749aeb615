"""Stories of dunning cases whose histories are committed: what runs when a release comes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio.testing import WorkflowEnvironment

from domain.dunning.case import Status
from models.messages import Command
from models.store.dunning.telling import case_id_of
from tests.workflows.arrears import Arrears
from tests.workflows.house import eventually

Story = Callable[[Arrears, WorkflowEnvironment], Awaitable[str]]


async def _proposed(arrears: Arrears, **changes: str) -> str:
    await arrears.owes(arrears.who, **changes)
    await arrears.run(await arrears.rule(approval_required=True))
    return (await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)).id


async def sent_then_paid(arrears: Arrears, _: WorkflowEnvironment) -> str:
    """A notice without an approval; the money comes, the case ends."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule())
    case_id = (await arrears.rests(arrears.who, Status.DUNNING)).id
    await arrears.pays(arrears.who, "119.00")
    await arrears.house.ends(case_id)
    return case_id


async def approved_for_less_by_letter(arrears: Arrears, _: WorkflowEnvironment) -> str:
    """A part is paid, then an operator approves by an update: the letter asks for the rest."""
    case_id = await _proposed(arrears, email="")
    await arrears.pays(arrears.who, "19.00")
    await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)
    workflow = arrears.house.workflow(case_id)
    await workflow.execute_update("approve", Command(id="story", by="olga"))
    await arrears.sees(arrears.who, "sent")
    await arrears.rests(arrears.who, Status.DUNNING)
    return case_id


async def dropped_for_money(arrears: Arrears, _: WorkflowEnvironment) -> str:
    """All is paid while the notice waits for its approval."""
    case_id = await _proposed(arrears)
    await arrears.pays(arrears.who, "119.00")
    await arrears.house.ends(case_id)
    return case_id


async def proposed_anew_and_rejected(arrears: Arrears, _: WorkflowEnvironment) -> str:
    """More is due than was proposed; what is proposed then is rejected by a signal."""
    case_id = await _proposed(arrears)
    await arrears.owes(arrears.who, invoice_no=f"{arrears.who}-X")
    await arrears.sees(arrears.who, "dropped", "proposed")
    await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)
    await arrears.house.workflow(case_id).signal("rejection", Command(id="story", by="olga"))
    await arrears.sees(arrears.who, "dropped", "dropped")
    await arrears.rests(arrears.who, Status.DUNNING)
    return case_id


async def nobody_approved(arrears: Arrears, temporal: WorkflowEnvironment) -> str:
    """The substitute is asked, then the time is over."""
    case_id = await _proposed(arrears)
    await temporal.fast_forward(arrears.house.workflow(case_id), timedelta(days=3, hours=1))

    async def asked() -> bool | None:
        return bool(await arrears.house.tasks(case_id)) or None

    await eventually(asked)
    await temporal.fast_forward(arrears.house.workflow(case_id), timedelta(days=4, hours=1))
    await arrears.sees(arrears.who, "dropped")
    await arrears.rests(arrears.who, Status.DUNNING)
    return case_id


async def refused_and_retried(arrears: Arrears, _: WorkflowEnvironment) -> str:
    """A rule that knows mails only: the address is refused, mended, and the step repeated."""
    arrears.house.refuses.add(f"{arrears.who.lower()}@schuldner.example")
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(action="email"))
    case_id = (await arrears.rests(arrears.who, Status.NEEDS_RETRY)).id
    arrears.house.refuses.clear()
    await arrears.decides(arrears.who, "retry")
    await arrears.sees(arrears.who, "sent")
    await arrears.rests(arrears.who, Status.DUNNING)
    return case_id


async def call_and_cancelled(arrears: Arrears, _: WorkflowEnvironment) -> str:
    """A call task, then an operator cancels the workflow: dunning is blocked."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(action="call_task", title="Call"))
    await arrears.rests(arrears.who, Status.DUNNING)
    case_id = case_id_of(arrears.who)
    await arrears.house.workflow(case_id).cancel(reason="story")
    await arrears.rests(arrears.who, Status.ON_HOLD)
    return case_id


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        sent_then_paid,
        approved_for_less_by_letter,
        dropped_for_money,
        proposed_anew_and_rejected,
        nobody_approved,
        refused_and_retried,
        call_and_cancelled,
    )
}
