"""For each kind of effect: how a case comes to where exactly that effect is next.

``tests/activities/test_faults.py`` breaks every one of them at every failpoint. A new activity,
mail, task or decision without a scenario makes it fail. Those of dunning cases stand in
``tests/activities/dunning_scenarios.py``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from domain.order_case import MailKind, Step, TaskKind
from models.messages import Command, DecisionRequest, StepRequest
from models.store import decisions
from models.store.decisions import Decision
from starter.commands import SIGNALS
from tests.activities.driver import Driver, Occasion

Scenario = Callable[[Driver], Awaitable[Occasion]]
SCENARIOS: dict[str, Scenario] = {}
_VARIANTS = {
    Step.SEND_EMAIL.value: tuple(MailKind),
    Step.CREATE_TASK.value: tuple(TaskKind),
    "take_decision": tuple(SIGNALS),
    "take_dunning_decision": ("approve", "reject", "retry", "stop"),
    "answer_claim": ("notice", "call", "lawyer", "dropped"),
    "answer_bounce": ("letter", "task"),
    "send_notice": ("mail", "letter", "refused", "instalments", "unknown"),
}


def needed(activities: list[str]) -> list[str]:
    """Return the name of every scenario that there has to be for these activities."""
    return [
        f"{name}.{kind}" if kind else name
        for name in activities
        for kind in _VARIANTS.get(name, ("",))
    ]


def scenario(name: str) -> Callable[[Scenario], Scenario]:
    """Enter a scenario under the name of its effect."""

    def enter(made: Scenario) -> Scenario:
        SCENARIOS[name] = made
        return made

    return enter


async def next_is(driver: Driver, case_id: str, step: Step) -> Occasion:
    """Run the case's steps until that one is next."""
    return Occasion(step.value, driver.request(case_id, await driver.until(case_id, step)))


async def waiting(driver: Driver, sample: str = "zahltag-ok", *, paid: str = "") -> str:
    """Bring an order to rest, and again after a payment; return its case."""
    case_id = await driver.submit(sample)
    await driver.until(case_id, Step.WAIT)
    if paid:
        await driver.pay(case_id, paid)
        await driver.until(case_id, Step.WAIT)
    return case_id


async def decided(driver: Driver, case_id: str, name: str, by: str = "anna", **fields: str) -> str:
    """Store a person's decision, as the API does."""
    async with driver.services.database.transaction() as session:
        decision = Decision(name=name, by=by, reason="because", fields=fields)
        await decisions.store(session, case_id, decision, driver.at)
    return case_id


def told(driver: Driver, case_id: str, name: str, **fields: str) -> Occasion:
    """Ask the workflow to take a decision that a person gave it in the Web UI."""
    command = Command(id="told", by="olga", reason="because", fields=fields)
    request = DecisionRequest(case_id=case_id, name=name, command=command, at=driver.at)
    return Occasion("take_decision", request)


@scenario("validate_customer")
async def _(driver: Driver) -> Occasion:
    return await next_is(driver, await driver.submit("zahltag-ok"), Step.VALIDATE_CUSTOMER)


@scenario("validate_customer.with_findings")
async def _(driver: Driver) -> Occasion:
    case_id = await driver.submit("zahltag-missing-tax-rate")
    return await next_is(driver, case_id, Step.VALIDATE_CUSTOMER)


@scenario("create_invoice")
async def _(driver: Driver) -> Occasion:
    return await next_is(driver, await driver.submit("zahltag-ok"), Step.CREATE_INVOICE)


@scenario("set_due_date")
async def _(driver: Driver) -> Occasion:
    return await next_is(driver, await driver.submit("zahltag-ok"), Step.SET_DUE_DATE)


@scenario("cancel_invoice")
async def _(driver: Driver) -> Occasion:
    case_id = await decided(driver, await waiting(driver, paid="19.00"), "cancel")
    return await next_is(driver, case_id, Step.CANCEL_INVOICE)


@scenario("write_off")
async def _(driver: Driver) -> Occasion:
    case_id = await decided(driver, await waiting(driver, paid="19.00"), "write_off")
    await decided(driver, case_id, "approve", by="admin")
    return await next_is(driver, case_id, Step.WRITE_OFF)


@scenario("send_email.invoice")
async def _(driver: Driver) -> Occasion:
    return await next_is(driver, await driver.submit("zahltag-ok"), Step.SEND_EMAIL)


@scenario("send_email.payment_confirmation")
async def _(driver: Driver) -> Occasion:
    case_id = await waiting(driver)
    await driver.pay(case_id, "119.00")
    return await next_is(driver, case_id, Step.SEND_EMAIL)


@scenario("send_email.payment_rescue")
async def _(driver: Driver) -> Occasion:
    return await next_is(driver, await driver.submit("zahltag-payment-failed"), Step.SEND_EMAIL)


@scenario("send_email.cancellation")
async def _(driver: Driver) -> Occasion:
    case_id = await decided(driver, await waiting(driver), "cancel")
    return await next_is(driver, case_id, Step.SEND_EMAIL)


@scenario("send_email.due_date_changed")
async def _(driver: Driver) -> Occasion:
    case_id = await decided(driver, await waiting(driver), "extend", due="2027-01-31")
    return await next_is(driver, case_id, Step.SEND_EMAIL)


@scenario("create_task.follow_up_payment")
async def _(driver: Driver) -> Occasion:
    return await next_is(driver, await driver.submit("zahltag-ok"), Step.CREATE_TASK)


@scenario("create_task.payment_failed")
async def _(driver: Driver) -> Occasion:
    return await next_is(driver, await driver.submit("zahltag-payment-failed"), Step.CREATE_TASK)


@scenario("create_task.payment_on_account")
async def _(driver: Driver) -> Occasion:
    case_id = await waiting(driver)
    await driver.pay(case_id, "150.00")
    return await next_is(driver, case_id, Step.CREATE_TASK)


@scenario("create_task.refund")
async def _(driver: Driver) -> Occasion:
    case_id = await decided(driver, await waiting(driver, paid="19.00"), "cancel")
    return await next_is(driver, case_id, Step.CREATE_TASK)


@scenario("create_task.step_failed")
async def _(driver: Driver) -> Occasion:
    failed = await next_is(driver, await driver.submit("zahltag-ok"), Step.CREATE_INVOICE)
    assert isinstance(failed.request, StepRequest)
    changes = {
        "key": f"{failed.request.key}:failed",
        "cause": failed.activity,
        "task": TaskKind.STEP_FAILED,
        "failure": "it did not work",
    }
    return Occasion("create_task", failed.request.model_copy(update=changes))


@scenario("update_deal")
async def _(driver: Driver) -> Occasion:
    await driver.connect_crm()
    driver.crm.load("crm-ok")
    return await next_is(driver, await driver.submit("crm-ok"), Step.UPDATE_DEAL)


@scenario("reconcile_payment")
async def _(driver: Driver) -> Occasion:
    case_id = await waiting(driver)
    await driver.pay(case_id, "100.00")
    return await next_is(driver, case_id, Step.RECONCILE_PAYMENT)


@scenario("request_approval")
async def _(driver: Driver) -> Occasion:
    return await next_is(driver, await driver.submit("zahltag-risk"), Step.REQUEST_APPROVAL)


@scenario("note_overdue")
async def _(driver: Driver) -> Occasion:
    case_id = await waiting(driver)
    driver.later(60)
    return await next_is(driver, case_id, Step.NOTE_OVERDUE)


@scenario("close_tasks")
async def _(driver: Driver) -> Occasion:
    case_id = await decided(driver, await waiting(driver), "cancel")
    return await next_is(driver, case_id, Step.CLOSE_TASKS)


@scenario("close_case")
async def _(driver: Driver) -> Occasion:
    return await next_is(driver, await driver.submit("zahltag-paid"), Step.CLOSE_CASE)


@scenario("take_decision.correct")
async def _(driver: Driver) -> Occasion:
    case_id = await waiting(driver, "zahltag-missing-tax-rate")
    return told(driver, case_id, "correct", **{"lines.2.tax_rate": "19"})


@scenario("take_decision.approve")
async def _(driver: Driver) -> Occasion:
    return told(driver, await waiting(driver, "zahltag-risk"), "approve")


@scenario("take_decision.reject")
async def _(driver: Driver) -> Occasion:
    return told(driver, await waiting(driver, "zahltag-risk"), "reject")


@scenario("take_decision.retry")
async def _(driver: Driver) -> Occasion:
    failed = await SCENARIOS["create_task.step_failed"](driver)
    assert isinstance(failed.request, StepRequest)
    await driver.attempt(failed)
    return told(driver, failed.request.case_id, "retry")


@scenario("take_decision.cancel")
async def _(driver: Driver) -> Occasion:
    return told(driver, await waiting(driver), "cancel")


@scenario("take_decision.extend")
async def _(driver: Driver) -> Occasion:
    return told(driver, await waiting(driver), "extend", due="2027-01-31")


@scenario("take_decision.write_off")
async def _(driver: Driver) -> Occasion:
    return told(driver, await waiting(driver), "write_off")
