"""Stories whose histories are committed: what running cases of an older release look like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio.testing import WorkflowEnvironment

from models.messages import Command
from tests.workflows.house import House, eventually

Story = Callable[[House, WorkflowEnvironment], Awaitable[str]]


async def open_paid_in_parts(house: House, _: WorkflowEnvironment) -> str:
    """Invoice, two part payments, confirmation."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    await house.pay(case_id, "19.00", "part-1")

    async def partly_paid() -> bool | None:
        return (await house.case(case_id)).amount_due == 100 or None

    await eventually(partly_paid)
    await house.pay(case_id, "100.00", "part-2")
    await house.ends(case_id)
    return case_id


async def prepaid(house: House, _: WorkflowEnvironment) -> str:
    """Paid in the shop."""
    case_id = await house.submit("zahltag-paid")
    await house.ends(case_id)
    return case_id


async def failed_then_paid(house: House, _: WorkflowEnvironment) -> str:
    """The payment failed, the customer pays another way."""
    case_id = await house.submit("zahltag-payment-failed")
    waiting = await house.reaches(case_id, "payment_failed")
    await house.pay(case_id, f"{waiting.amount_due:.2f}", "rescued")
    await house.ends(case_id)
    return case_id


async def risky_and_rejected(house: House, _: WorkflowEnvironment) -> str:
    """An operator rejects from the Web UI."""
    case_id = await house.submit("zahltag-risk")
    await house.reaches(case_id, "needs_approval")
    await house.workflow(case_id).signal("rejection", Command(id="story", by="olga"))
    await house.ends(case_id)
    return case_id


async def corrected(house: House, _: WorkflowEnvironment) -> str:
    """A refused and an accepted correction, both by update; then it waits for its payment."""
    case_id = await house.submit("zahltag-missing-tax-rate")
    await house.reaches(case_id, "needs_correction")
    fields = {problem.field: "19" for problem in await house.problems(case_id)}
    await house.workflow(case_id).execute_update(
        "correct", Command(id="story", by="olga", fields=fields)
    )
    await house.reaches(case_id, "awaiting_payment")
    return case_id


async def mail_refused_and_retried(house: House, _: WorkflowEnvironment) -> str:
    """A step fails for good, and a person retries it."""
    buyer = {"name": "K. Brandt", "email": "refused@brandt-soehne.example", "language": "de"}
    case_id = await house.submit("zahltag-paid", buyer=buyer)
    await house.reaches(case_id, "needs_retry")
    house.refuses.clear()
    await house.decide(case_id, "retry")
    await house.ends(case_id)
    return case_id


async def overdue(house: House, temporal: WorkflowEnvironment) -> str:
    """Nobody pays until long after the due date."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    await temporal.fast_forward(house.workflow(case_id), timedelta(days=50))
    await house.reaches(case_id, "overdue")
    return case_id


async def extended_then_cancelled(house: House, _: WorkflowEnvironment) -> str:
    """The due date is moved, a part is paid, and then the order is cancelled in the Web UI."""
    case_id = await house.submit("zahltag-ok")
    before = await house.reaches(case_id, "awaiting_payment")
    due = (before.due_date or before.opened_at.date()) + timedelta(days=14)
    await house.decide(case_id, "extend", due=due.isoformat())

    async def told() -> bool | None:
        return await house.mails(case_id) == ["invoice", "due_date_changed"] or None

    await eventually(told)
    await house.pay(case_id, "19.00", "part-1")

    async def partly_paid() -> bool | None:
        return (await house.case(case_id)).amount_due == 100 or None

    await eventually(partly_paid)
    await house.workflow(case_id).cancel(reason="story")
    await house.ends(case_id)
    return case_id


async def written_off(house: House, _: WorkflowEnvironment) -> str:
    """Two people agree that the money will not come."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    await house.decide(case_id, "write_off", reason="insolvent", by="anna")
    await house.reaches(case_id, "needs_approval")
    await house.decide(case_id, "approve", by="admin")
    await house.ends(case_id)
    return case_id


STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        open_paid_in_parts,
        prepaid,
        failed_then_paid,
        risky_and_rejected,
        corrected,
        mail_refused_and_retried,
        overdue,
        extended_then_cancelled,
        written_off,
    )
}
