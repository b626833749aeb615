"""For each kind of effect of a dunning case: how the case comes to where exactly that is next."""

from __future__ import annotations

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities.failpoints import Armed, Failpoint, Mode, Point, StruckError
from domain.bounce import Bounce, BounceAction
from domain.dunning.case import Step
from domain.dunning.instalments import Every
from models.messages import Command, DecisionRequest
from models.store import company
from models.store.dunning import bounces, plans
from models.store.dunning.plans import PlanRequest
from tests.activities.debtor import REFUSED, Debtor
from tests.activities.driver import Driver, Occasion, run_surrounded
from tests.activities.scenarios import scenario


async def in_arrears(driver: Driver, **rule: object) -> Debtor:
    """Return the debtor as a rule's run has just taken it."""
    debtor = Debtor(driver)
    await debtor.owes()
    await debtor.taken(**rule)
    return debtor


async def proposed(driver: Driver) -> Debtor:
    """Return the debtor while its notice waits for an approval."""
    debtor = await in_arrears(driver, approval_required=True)
    await debtor.until(Step.WAIT)
    return debtor


async def bounced(driver: Driver, action: str) -> Occasion:
    """Send a notice by mail, and let the mail server say later that it did not arrive."""
    debtor = await in_arrears(driver, action=action)
    await debtor.until(Step.WAIT)
    message_id = await debtor.value("select message_id from outgoing_mail")
    report = Bounce("dsn-1", message_id, BounceAction.FAILED, "5.1.1")
    async with driver.services.database.transaction() as session:
        assert await bounces.note(session, report, driver.at)
    return await debtor.until(Step.ANSWER_BOUNCE)


async def in_doubt(driver: Driver, point: Point) -> Occasion:
    """Let a worker stumble in the hand-over to a mail server that cannot be asked.

    ``after_acceptance``: the mail has arrived; ``after_mark``: it has not.
    """
    occasion = await (await in_arrears(driver)).until(Step.SEND_NOTICE)
    driver.ask_nobody()
    stumbles = Armed(Failpoint(point, occasion.activity, Mode.RAISE))
    with pytest.raises(ApplicationError, match=StruckError.__name__):
        await run_surrounded(driver.services, stumbles, occasion)
    return occasion


def told(debtor: Debtor, name: str, **fields: str) -> Occasion:
    """Ask the case to take a decision that a person gave it in the Web UI."""
    command = Command(id="told", by="olga", reason="because", fields=fields)
    request = DecisionRequest(
        case_id=debtor.case_id, name=name, command=command, at=debtor.driver.at
    )
    return Occasion("take_dunning_decision", request)


@scenario("look_at_dunning")
async def _(driver: Driver) -> Occasion:
    return (await in_arrears(driver)).occasion("look_at_dunning", "news")


@scenario("answer_claim.notice")
async def _(driver: Driver) -> Occasion:
    debtor = await in_arrears(driver, approval_required=True)
    return await debtor.until(Step.ANSWER_CLAIM)


@scenario("answer_claim.call")
async def _(driver: Driver) -> Occasion:
    debtor = await in_arrears(driver, action="call_task", title="Anrufen")
    return await debtor.until(Step.ANSWER_CLAIM)


@scenario("answer_claim.lawyer")
async def _(driver: Driver) -> Occasion:
    debtor = await in_arrears(driver, action="lawyer_task", title="Anwalt")
    return await debtor.until(Step.ANSWER_CLAIM)


@scenario("answer_claim.dropped")
async def _(driver: Driver) -> Occasion:
    debtor = await in_arrears(driver)
    driver.later(1)
    return await debtor.until(Step.ANSWER_CLAIM)


@scenario("renew_notice")
async def _(driver: Driver) -> Occasion:
    debtor = await proposed(driver)
    await debtor.owes(invoice_no="ALT-2")
    return await debtor.until(Step.RENEW_NOTICE)


@scenario("drop_notice")
async def _(driver: Driver) -> Occasion:
    debtor = await proposed(driver)
    driver.later(7)
    return await debtor.until(Step.DROP_NOTICE)


@scenario("escalate_approval")
async def _(driver: Driver) -> Occasion:
    debtor = await proposed(driver)
    driver.later(3)
    return await debtor.until(Step.ESCALATE_APPROVAL)


@scenario("ask_about_money")
async def _(driver: Driver) -> Occasion:
    debtor = await in_arrears(driver)
    await debtor.sends_money()
    return await debtor.until(Step.ASK_ABOUT_MONEY)


@scenario("answer_bounce.letter")
async def _(driver: Driver) -> Occasion:
    return await bounced(driver, "email_or_letter")


@scenario("answer_bounce.task")
async def _(driver: Driver) -> Occasion:
    return await bounced(driver, "email")


@scenario("send_notice.mail")
async def _(driver: Driver) -> Occasion:
    return await (await in_arrears(driver)).until(Step.SEND_NOTICE)


@scenario("send_notice.letter")
async def _(driver: Driver) -> Occasion:
    debtor = await in_arrears(driver, action="letter", registered_mail=True)
    return await debtor.until(Step.SEND_NOTICE)


@scenario("send_notice.refused")
async def _(driver: Driver) -> Occasion:
    debtor = Debtor(driver)
    await debtor.owes(email=REFUSED)
    await debtor.taken()
    return await debtor.until(Step.SEND_NOTICE)


@scenario("send_notice.instalments")
async def _(driver: Driver) -> Occasion:
    debtor = Debtor(driver)
    await debtor.owes()
    today = driver.at.date()
    wanted = PlanRequest(2, today + timedelta(days=1), Every.WEEK)
    async with driver.services.database.transaction() as session:
        firm = await company.get(session)
        await plans.create(session, "D-1", wanted, firm, today=today, at=driver.at, by="anna")
    await debtor.taken(action="instalment_reminder")
    return await debtor.until(Step.SEND_NOTICE)


@scenario("send_notice.unknown")
async def _(driver: Driver) -> Occasion:
    return await in_doubt(driver, Point.AFTER_MARK)


@scenario("end_dunning")
async def _(driver: Driver) -> Occasion:
    debtor = await proposed(driver)
    await debtor.pays("119.00")
    return await debtor.until(Step.END_DUNNING)


@scenario("report_dunning_failure")
async def _(driver: Driver) -> Occasion:
    debtor = await in_arrears(driver)
    await debtor.until(Step.SEND_NOTICE)
    return debtor.occasion("report_dunning_failure", Step.SEND_NOTICE, failure="It did not work.")


@scenario("take_dunning_decision.approve")
async def _(driver: Driver) -> Occasion:
    return told(await proposed(driver), "approve")


@scenario("take_dunning_decision.reject")
async def _(driver: Driver) -> Occasion:
    return told(await proposed(driver), "reject", not_before="2027-01-31")


@scenario("take_dunning_decision.retry")
async def _(driver: Driver) -> Occasion:
    debtor = await in_arrears(driver)
    await debtor.until(Step.SEND_NOTICE)
    failure = "It did not work."
    await driver.attempt(
        debtor.occasion("report_dunning_failure", Step.SEND_NOTICE, failure=failure)
    )
    return told(debtor, "retry")


@scenario("take_dunning_decision.stop")
async def _(driver: Driver) -> Occasion:
    return told(await proposed(driver), "stop")
