"""Undo: at any point, in reverse order, with documents, once, crash or no crash."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError

from connectors.mailbox import list_mails
from domain.errors import ConflictError, ForbiddenError
from models.messages import Command
from models.store import invoices
from tests.workflows.house import House, eventually, now


async def undone(house: House, case_id: str) -> list[str]:
    """Wait for the end; return the kinds of the mails the customer got."""
    assert await house.ends(case_id) == "cancelled"
    return await house.mails(case_id)


async def test_an_invoiced_order_is_cancelled_with_a_document(house: House) -> None:
    """The cancellation invoice takes the claim back; the tasks close; the customer is told."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")

    await house.decide(case_id, "cancel", reason="ordered by mistake")

    assert await undone(house, case_id) == ["invoice", "cancellation"]
    assert await house.open_amount(case_id) == 0
    async with house.database.transaction() as session:
        cancellation = await invoices.cancellation_of(session, case_id)
    assert cancellation
    assert cancellation.charged == Decimal("-119.00")
    assert {task.status for task in await house.tasks(case_id)} == {"done"}
    folder = house.settings.mailbox_dir
    assert folder
    last = [mail for mail in list_mails(folder) if mail.case_id == case_id][-1]
    assert last.attachments


async def test_a_paid_order_is_cancelled_and_the_money_refunded(house: House) -> None:
    """A closed case comes back for it: the payment is released, and a person refunds it."""
    case_id = await house.submit("zahltag-paid")
    await house.ends(case_id)

    await house.decide(case_id, "cancel", reason="withdrawn by the customer")

    await house.reaches(case_id, "cancelled")
    assert await undone(house, case_id) == ["invoice", "cancellation"]
    (task,) = await house.tasks(case_id)
    assert (task.kind, task.status) == ("refund", "open")
    (payment,) = await house.payments(case_id)
    assert payment.unallocated == payment.amount


async def test_money_that_comes_after_a_cancellation_is_refunded(house: House) -> None:
    """It is booked on account, with a task; nothing is mailed again."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    await house.decide(case_id, "cancel", reason="out of stock")
    await undone(house, case_id)

    await house.pay(case_id, "119.00")

    async def asked() -> bool | None:
        return "refund" in {task.kind for task in await house.tasks(case_id)} or None

    await eventually(asked)
    assert await undone(house, case_id) == ["invoice", "cancellation"]


@pytest.mark.parametrize(
    ("sample", "status", "mails"),
    [
        ("zahltag-missing-tax-rate", "needs_correction", []),
        ("zahltag-risk", "needs_approval", []),
        ("zahltag-payment-failed", "payment_failed", ["payment_rescue", "cancellation"]),
    ],
)
async def test_at_every_place_where_a_case_waits(
    house: House, sample: str, status: str, mails: list[str]
) -> None:
    """Exactly what was begun is undone; who never heard of us is not written to."""
    case_id = await house.submit(sample)
    await house.reaches(case_id, status)

    await house.decide(case_id, "cancel", reason="cancelled")

    assert await undone(house, case_id) == mails
    assert not [task for task in await house.tasks(case_id) if task.status == "open"]
    assert await house.problems(case_id) == []


async def test_cancelled_in_the_web_ui_it_undoes_itself(house: House) -> None:
    """A cancellation of the workflow is taken as the decision to cancel the order."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")

    await house.workflow(case_id).cancel(reason="wrong customer")

    assert await undone(house, case_id) == ["invoice", "cancellation"]
    assert any("wrong customer" in line.text for line in await house.history(case_id))


@pytest.mark.parametrize("seconds", [0, 0.05, 0.1, 0.2, 0.4])
async def test_cancelled_in_the_middle_of_the_steps(house: House, seconds: float) -> None:
    """Wherever it strikes, the books are right, and each mail went out at most once."""
    case_id = await house.submit("zahltag-ok")

    async def started() -> bool | None:
        return (await house.case(case_id)).updated_at is not None or None

    await eventually(started)
    await asyncio.sleep(seconds)
    await _cancel_when_it_runs(house, case_id)

    kinds = await undone(house, case_id)
    assert kinds in ([], ["invoice", "cancellation"])


async def _cancel_when_it_runs(house: House, case_id: str) -> None:
    async def cancelled() -> bool | None:
        try:
            await house.workflow(case_id).cancel()
        except Exception:  # noqa: BLE001 - it has not started yet
            return None
        return True

    await eventually(cancelled)


async def test_a_refused_cancellation_mail_waits_for_a_person(house: House) -> None:
    """The other steps go on; the failed one becomes a task and is repeated."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    house.refuses.add("buchhaltung@brandt-soehne.example")
    await house.decide(case_id, "cancel", reason="cancelled")
    await house.reaches(case_id, "needs_retry")
    assert await house.open_amount(case_id) == 0

    house.refuses.clear()
    await house.decide(case_id, "retry")

    assert await undone(house, case_id) == ["invoice", "cancellation"]


async def test_a_moved_due_date_is_told_once(house: House) -> None:
    """The customer gets a mail for each change; the same date again is no change."""
    case_id = await house.submit("zahltag-ok")
    before = await house.reaches(case_id, "awaiting_payment")
    assert before.due_date
    due = before.due_date + timedelta(days=14)

    for _ in range(2):
        await house.decide(case_id, "extend", due=due.isoformat())

    async def told() -> bool | None:
        return await house.mails(case_id) == ["invoice", "due_date_changed"] or None

    await eventually(told)
    assert (await house.case(case_id)).due_date == due
    wrong = Command(id="x", by="olga", fields={"due": "tomorrow"})
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await house.workflow(case_id).execute_update("extend", wrong)
    assert "2026-12-31" in str(refused.value.cause)


async def test_a_write_off_needs_two_people(house: House) -> None:
    """Who proposed it cannot approve it; the loss is booked, and later money is on account."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    await house.decide(case_id, "write_off", reason="insolvent", by="anna")
    await house.reaches(case_id, "needs_approval")
    with pytest.raises(ForbiddenError, match="somebody else"):
        await house.decide(case_id, "approve", by="anna")

    alias = Command(id="alias", by="admin")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await house.workflow(case_id).execute_update("approve", alias)
    assert "second person" in str(refused.value.cause)

    await house.decide(case_id, "approve", by="admin")

    assert await house.ends(case_id) == "written_off"
    assert await house.open_amount(case_id) == 0
    assert await house.mails(case_id) == ["invoice"]
    with pytest.raises(ConflictError, match="written_off"):
        await house.decide(case_id, "cancel", reason="too late")


async def test_a_rejected_write_off_changes_nothing(house: House) -> None:
    """The case goes on waiting for its money."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    await house.decide(case_id, "write_off", reason="too small", by="anna")
    await house.reaches(case_id, "needs_approval")

    await house.decide(case_id, "reject", reason="dun first", by="admin")

    await house.reaches(case_id, "awaiting_payment")
    assert now().date() <= ((await house.case(case_id)).due_date or now().date())
