"""Dunning cases on a real Temporal server, where several things happen at once or go on for days."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from domain.dunning.case import Status
from models.messages import Command, DunningProgress, LookAgain
from models.store.dunning import blocks
from models.store.dunning.telling import case_id_of
from starter import notices
from tests.workflows.arrears import TODAY, Arrears
from tests.workflows.house import House, eventually, now
from tests.workflows.opening import CACHED_OR_NOT

SOME = [{"field": "notices_count", "operator": ">=", "value": 0}]


@pytest.fixture
def arrears(house: House) -> Arrears:
    """Customers in arrears in a house."""
    return Arrears(house)


async def proposed(arrears: Arrears) -> str:
    """Let a notice wait for its approval; return the case's id."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(approval_required=True))
    return (await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)).id


async def test_fifty_signals_while_it_continues_as_new(arrears: Arrears) -> None:
    """None is lost, the notice goes out once, and a command that was taken stays taken."""
    case_id = await proposed(arrears)
    workflow = arrears.house.workflow(case_id)
    first = (await workflow.describe()).run_id

    async def another_run() -> bool | None:
        told = (workflow.signal("look_again", LookAgain(outbox_id=f"x{n}")) for n in range(50))
        await asyncio.gather(*told)
        return (await workflow.describe()).run_id != first or None

    await eventually(another_run, 30)
    command = Command(id="yes", by="olga")
    answers = await asyncio.gather(
        *(workflow.execute_update("approve", command, id=f"yes-{n}") for n in range(3)),
        *(workflow.signal("look_again", LookAgain(outbox_id=f"y{n}")) for n in range(50)),
    )
    assert answers[0]["plan"]["status"] in {"sending", "dunning"}
    await arrears.sees(arrears.who, "sent")
    await arrears.rests(arrears.who, Status.DUNNING)
    assert await arrears.house.mails(case_id) == ["notice"]
    assert await arrears.ladder(arrears.who) == (1, 1)
    lines = [h.text for h in await arrears.house.history(case_id) if h.event == "approved"]
    assert lines == ["Approval 1 approved"]


@CACHED_OR_NOT
async def test_approved_and_paid_at_the_same_instant(arrears: Arrears) -> None:
    """It goes out or it is dropped; never for money that is there, and the case ends."""
    case_id = await proposed(arrears)
    workflow = arrears.house.workflow(case_id)
    await asyncio.gather(
        workflow.signal("approval", Command(id="yes", by="olga")),
        arrears.pays(arrears.who, "119.00"),
    )
    assert await arrears.house.ends(case_id) == "closed"
    (notice,) = await arrears.notices(arrears.who)
    events = [h.event for h in await arrears.house.history(case_id)]
    if notice.status == "sent":
        assert events.index("notice_sent") < events.index("dunning_ended")
    else:
        assert notice.status == "dropped"
    assert len(await arrears.house.mails(case_id)) == (notice.status == "sent")


async def test_four_eyes_cannot_be_had_in_temporal(arrears: Arrears) -> None:
    """A manual notice (L15): an update is refused in words, a signal ignored, our API believed."""
    await arrears.owes(arrears.who)
    async with arrears.house.database.transaction() as session:
        await notices.ask_for(session, arrears.who, raise_level=True, at=now(), by="anna")
    arrears.house.wake.set()
    case_id = (await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)).id
    workflow = arrears.house.workflow(case_id)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await workflow.execute_update("approve", Command(id="no", by="olga"))
    assert "needs a second person" in str(refused.value.cause)
    await workflow.signal("approval", Command(id="no, too", by="admin"))
    seen = await workflow.query("progress", result_type=DunningProgress)
    assert seen.plan.status is Status.NEEDS_APPROVAL
    await arrears.decides(arrears.who, "approve", by="admin")
    (notice,) = await arrears.sees(arrears.who, "sent")
    await arrears.rests(arrears.who, Status.DUNNING)
    assert (notice.proposed_by, notice.decided_by) == ("anna", "admin")
    assert await arrears.ladder(arrears.who) == (1, 1)


async def test_a_decision_that_nothing_waits_for(arrears: Arrears) -> None:
    """Approved in Temporal in a wrong state: refused in words, and nothing changes."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule())
    case_id = (await arrears.rests(arrears.who, Status.DUNNING)).id
    workflow = arrears.house.workflow(case_id)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await workflow.execute_update("approve", Command(id="late", by="olga"))
    assert "waits for rule" in str(refused.value.cause)
    await workflow.signal("retry_step", Command(id="why not", by="olga"))
    assert await arrears.ladder(arrears.who) == (1, 1)


async def test_nobody_approves_for_a_week(arrears: Arrears, temporal: WorkflowEnvironment) -> None:
    """The substitute is asked after three days; after seven it is dropped and free again (X13)."""
    case_id = await proposed(arrears)
    await temporal.fast_forward(arrears.house.workflow(case_id), timedelta(days=3, hours=1))

    async def asked() -> list[str] | None:
        return [task.kind for task in await arrears.house.tasks(case_id)] or None

    assert await eventually(asked) == ["approval_waits"]
    await temporal.fast_forward(arrears.house.workflow(case_id), timedelta(days=4, hours=1))
    (notice,) = await arrears.sees(arrears.who, "dropped")
    assert notice.reason == "nobody approved it in time"
    await arrears.rests(arrears.who, Status.DUNNING)
    assert await arrears.ladder(arrears.who) == (0, 0)


async def test_cancelled_in_the_web_ui(arrears: Arrears) -> None:
    """It does not die: dunning is blocked until a person lifts it, also after a second cancel."""
    case_id = await proposed(arrears)
    house = arrears.house
    await house.workflow(case_id).cancel(reason="he is my uncle")
    file = await arrears.rests(arrears.who, Status.ON_HOLD)
    assert file.why == "dunning is blocked for this customer"
    await arrears.sees(arrears.who, "dropped")
    name = await arrears.rule(name="another")
    assert await arrears.run(name) == []

    # Ended for good and started anew by the sweeper; then cancelled once more.
    await house.workflow(case_id).terminate()
    await forgotten(arrears, case_id)
    await house.workflow(case_id).cancel(reason="really")

    async def twice() -> bool | None:
        lines = [h for h in await house.history(case_id) if h.event == "dunning_blocked"]
        return len(lines) == 2 or None

    await eventually(twice)
    async with house.database.transaction() as session:
        subject = await blocks.of_customer(session, arrears.who)
        assert await blocks.lift(session, subject, today=TODAY, at=now(), by="anna")
    house.wake.set()
    await arrears.rests(arrears.who, Status.DUNNING)
    # The day is taken by what was dropped (X6); a call is no dunning step.
    assert await arrears.run(name) == []
    call = await arrears.rule(name="call", action="call_task", title="Call", filters=SOME)
    assert await arrears.run(call) == [arrears.who]

    async def asked() -> bool | None:
        return [task.kind for task in await house.tasks(case_id)] == ["dunning_call"] or None

    await eventually(asked)


async def forgotten(arrears: Arrears, case_id: str) -> None:
    """Let the sweeper find the case without a workflow, and wait until it has one."""
    async with arrears.house.database.transaction() as session:
        earlier = "update case_file set opened_at = opened_at - interval '1 hour' where id = :id"
        await session.execute(text(earlier), {"id": case_id})

    async def swept() -> bool | None:
        found = await arrears.house.workflow(case_id).describe()
        if found.close_time is not None:
            await arrears.house.dispatcher.sweep()
            return None
        return True

    await eventually(swept)


async def test_terminated_while_it_waits(arrears: Arrears) -> None:
    """The sweeper brings the case back from the facts; the approval given meanwhile holds."""
    case_id = await proposed(arrears)
    await arrears.house.workflow(case_id).terminate()
    async with arrears.house.database.transaction() as session:
        await session.execute(
            text("update outbox set due_at = now() + interval '1 day' where delivered_at is null")
        )
    await forgotten(arrears, case_id)
    await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)
    await arrears.decides(arrears.who, "approve")
    await arrears.sees(arrears.who, "sent")
    await arrears.rests(arrears.who, Status.DUNNING)
    assert await arrears.house.mails(case_id) == ["notice"]


async def test_two_runs_at_once_with_mails_and_letters(arrears: Arrears) -> None:
    """Two rules take ten customers at the same instant: each gets one notice, by its own way."""
    numbers = [f"{arrears.who}-{n}" for n in range(10)]
    for place, number in enumerate(numbers):
        await arrears.owes(number, **({"email": ""} if place % 2 else {}))
    names = [await arrears.rule(name=name) for name in ("this", "that")]
    taken = await asyncio.gather(*map(arrears.run, names))
    assert sorted(taken[0] + taken[1]) == numbers
    for place, number in enumerate(numbers):
        await arrears.rests(number, Status.DUNNING)
        (notice,) = await arrears.notices(number)
        assert (notice.status, notice.channel) == ("sent", "letter" if place % 2 else "email")
        assert len(await arrears.house.mails(case_id_of(number))) == (place + 1) % 2
        assert await arrears.ladder(number) == (1, 1)
    assert len(arrears.letters()) == 5
