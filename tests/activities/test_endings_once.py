"""The activities that end or delay a claim, run twice and at once: one effect each."""

from __future__ import annotations

import asyncio

import pytest

from connectors.mailbox import list_mails
from domain.errors import ConflictError
from domain.order_case import Step
from models.messages import Command, DecisionRequest, Progress, StepRequest
from models.store import decisions
from models.store.decisions import Decision
from tests.activities.driver import Driver
from tests.activities.test_effects_once import counts
from worker import activities_of


async def decide(driver: Driver, case_id: str, name: str, by: str = "anna") -> None:
    """Store a person's decision."""
    async with driver.services.database.transaction() as session:
        decision = Decision(name=name, by=by, reason="because")
        await decisions.store(session, case_id, decision, driver.at)


async def bring_to(driver: Driver, step: Step) -> StepRequest:
    """Bring an invoiced case to where that step is next; return the step's request."""
    case_id = await driver.submit("zahltag-ok")
    await driver.until(case_id, Step.WAIT)
    if step is Step.NOTE_OVERDUE:
        driver.later(60)
    elif step is Step.WRITE_OFF:
        await decide(driver, case_id, "write_off")
        await decide(driver, case_id, "approve", by="admin")
    else:
        await decide(driver, case_id, "cancel")
    return driver.request(case_id, await driver.until(case_id, step))


@pytest.mark.parametrize(
    "step", [Step.NOTE_OVERDUE, Step.WRITE_OFF, Step.CLOSE_TASKS, Step.CANCEL_INVOICE], ids=str
)
async def test_at_once_and_again(driver: Driver, step: Step) -> None:
    """Five at the same time, then once more: one effect, one answer."""
    request = await bring_to(driver, step)
    activity = driver.activity(step)

    answers = await asyncio.gather(*(activity(request) for _ in range(5)))

    assert all(isinstance(answer, Progress) for answer in answers)
    after = await counts(driver.services.database)
    again = await activity(request)
    assert again.plan.step is not step
    assert await counts(driver.services.database) == after


async def test_a_cancelled_order_is_not_written_off(driver: Driver) -> None:
    """Cancelled when the write-off was planned already: its whole invoice is undone instead."""
    request = await bring_to(driver, Step.WRITE_OFF)
    await decide(driver, request.case_id, "cancel")

    after = await driver.activity(Step.WRITE_OFF)(request)

    assert after.plan.step is Step.CLOSE_TASKS
    ended = await driver.until(request.case_id, Step.END)
    assert ended.plan.status == "cancelled"


async def test_the_invoice_of_a_cancelled_order_is_not_mailed(driver: Driver) -> None:
    """Cancelled when the mail was planned already: the customer hears of neither document."""
    case_id = await driver.submit("zahltag-ok")
    request = driver.request(case_id, await driver.until(case_id, Step.SEND_EMAIL))
    await decide(driver, case_id, "cancel")

    after = await driver.activity(Step.SEND_EMAIL)(request)

    assert after.plan.step is Step.CANCEL_INVOICE
    await driver.until(case_id, Step.END)
    assert driver.services.settings.mailbox_dir
    assert list_mails(driver.services.settings.mailbox_dir) == []


async def test_what_was_written_off_is_not_cancelled(driver: Driver) -> None:
    """Its books are settled, even in the moment before the case is closed."""
    request = await bring_to(driver, Step.WRITE_OFF)
    await driver.activity(Step.WRITE_OFF)(request)

    with pytest.raises(ConflictError, match="written_off: there is nothing left to cancel"):
        await decide(driver, request.case_id, "cancel")


async def test_a_decision_taken_twice_and_at_once_counts_once(driver: Driver) -> None:
    """An operator's correction through Temporal, delivered again and again."""
    case_id = await driver.submit("zahltag-missing-tax-rate")
    await driver.until(case_id, Step.WAIT)
    take = {a.__name__: a for a in activities_of(driver.services)}["take_decision"]
    request = DecisionRequest(
        case_id=case_id,
        name="correct",
        command=Command(id="c", by="olga", fields={"lines.2.tax_rate": "19"}),
        at=driver.at,
    )

    await asyncio.gather(*(take(request) for _ in range(5)))
    progress = await take(request)

    assert progress.plan.step is Step.VALIDATE_CUSTOMER
    assert progress.plan.cause == "revision-2"
