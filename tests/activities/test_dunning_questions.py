"""What a dunning case asks people, and what it does about a notice that came back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlmodel import col, select

from activities.failpoints import Point
from connectors.mailbox import list_mails
from domain.dunning.case import Status, Step
from domain.errors import ConflictError, RefusedError
from models.store import company, customers, settlement, targets
from models.store.dunning.calls import Call, Noted
from models.tables import Task
from starter import task_outcomes
from tests.activities.debtor import IBAN, Debtor
from tests.activities.driver import Driver
from tests.activities.dunning_scenarios import bounced, in_doubt


async def answers(debtor: Debtor, outcome: str, *given: str) -> Task:
    """Mark the only task that was ever created as done, as the API does."""
    driver = debtor.driver
    async with driver.services.database.transaction() as session:
        newest = select(Task.id).order_by(col(Task.id).desc()).limit(1)
        task_id = (await session.exec(newest)).one()
        who = Noted(await company.get(session), driver.at.date(), driver.at, "anna")
        return await task_outcomes.finish(
            session, task_id or 0, Call(outcome), {"outcome", *given}, who
        )


def arrived(driver: Driver) -> int:
    """How many mails lie in the mailbox."""
    assert driver.mailbox
    return len(list_mails(driver.mailbox))


async def asked(driver: Driver, point: Point) -> Debtor:
    """Return a debtor of whose notice nobody can say whether it went out."""
    progress = await driver.attempt(await in_doubt(driver, point))
    assert progress.plan.status is Status.ON_HOLD
    return Debtor(driver)


async def test_the_notice_went_out(driver: Driver) -> None:
    """The level rises by it, on the day on which it was handed over; nothing is sent again."""
    debtor = await asked(driver, Point.AFTER_ACCEPTANCE)
    sent_on = driver.at.date()
    driver.later(2)

    for wrong in ("yes", "", "SENT"):
        with pytest.raises(RefusedError, match="takes the outcome sent or not_sent, not"):
            await answers(debtor, wrong)
    with pytest.raises(RefusedError, match="an outcome and nothing else"):
        await answers(debtor, "sent", "note")
    assert await debtor.value("select status from dunning_notice") == "unknown"
    await answers(debtor, "sent")

    assert await debtor.value("select status from dunning_notice") == "sent"
    assert await debtor.value("select state from outgoing_mail") == "sent"
    assert await debtor.value("select level from dunning_case") == 1
    assert await debtor.value("select last_notice_on from dunning_case") == sent_on
    assert await debtor.told() == 1
    assert (await debtor.look()).plan.step is Step.WAIT
    assert (await answers(debtor, "sent")).done_by == "anna"
    with pytest.raises(ConflictError, match="was done before with the outcome 'sent'"):
        await answers(debtor, "not_sent")
    assert await debtor.told() == 1
    assert arrived(driver) == 1


async def test_the_notice_did_not_go_out(driver: Driver) -> None:
    """The level stays; the next run proposes it again, and then it goes out once."""
    debtor = await asked(driver, Point.AFTER_MARK)
    with pytest.raises(AssertionError):
        await debtor.taken()  # the day is taken, and the question open
    await answers(debtor, "not_sent")
    assert await debtor.value("select status from dunning_notice") == "dropped"
    assert await debtor.value("select state from outgoing_mail") == "failed"
    assert await debtor.value("select level from dunning_case") == 0
    assert arrived(driver) == 0

    driver.later(1)
    await debtor.taken()
    await driver.attempt(await debtor.until(Step.SEND_NOTICE))

    assert await debtor.value("select level from dunning_case") == 1
    assert arrived(driver) == 1


async def test_a_doubt_ends_with_the_ladder(driver: Driver) -> None:
    """Who has paid meanwhile is not asked about any more, and begins anew when late again."""
    debtor = await asked(driver, Point.AFTER_MARK)
    await debtor.pays("119.00")
    await driver.attempt(await debtor.until(Step.END_DUNNING))
    assert await debtor.value("select status from task") == "done"
    assert await debtor.value("select status from dunning_notice") == "dropped"

    await debtor.owes(invoice_no="ALT-2")
    driver.later(1)
    await debtor.taken()
    await driver.attempt(await debtor.until(Step.SEND_NOTICE))

    assert arrived(driver) == 1


MAY_BE_THEIRS = {
    "the payer's name": {"payer_name": "ALT & SÖHNE GMBH"},
    "the payer's account": {"payer_iban": IBAN},
    "the exact sum": {"amount": "119.00"},
    "the customer's number": {"reference": "Kunde D-1 danke"},
    "the invoice's number": {"reference": "Rg. ALT-1"},
}


@pytest.mark.parametrize("words", MAY_BE_THEIRS.values(), ids=MAY_BE_THEIRS)
async def test_money_that_may_be_the_customers_holds_the_notice(
    driver: Driver, words: dict[str, str]
) -> None:
    """Until a person says that it is not: then the notice goes out."""
    debtor = Debtor(driver)
    await debtor.owes(amount="169.00")
    await debtor.pays("50.00", payer_iban=IBAN)
    await debtor.taken()
    await debtor.until(Step.SEND_NOTICE)
    await debtor.sends_money(**{"amount": "33.00", "payer_name": "Jemand", **words})

    progress = await driver.attempt(await debtor.until(Step.ASK_ABOUT_MONEY))
    assert (progress.plan.step, progress.plan.status) == (Step.WAIT, Status.ON_HOLD)
    with pytest.raises(RefusedError, match="takes the outcome not_theirs, not 'theirs'"):
        await answers(debtor, "theirs")
    told = await debtor.told()
    await answers(debtor, "not_theirs")

    assert await debtor.told() == told + 1
    await driver.attempt(await debtor.until(Step.SEND_NOTICE))
    assert arrived(driver) == 1


async def test_money_of_others_holds_nothing(driver: Driver) -> None:
    """Another name, another account, another sum."""
    debtor = Debtor(driver)
    await debtor.owes()
    await debtor.taken()
    await debtor.sends_money(amount="33.00", payer_name="Jemand", payer_iban=IBAN)
    await driver.attempt(await debtor.until(Step.SEND_NOTICE))
    assert arrived(driver) == 1


@pytest.mark.parametrize(("amount", "asked_for"), [("50.00", "69.00"), ("119.00", None)])
async def test_money_that_is_assigned_lowers_the_notice(
    driver: Driver, amount: str, asked_for: str | None
) -> None:
    """What remains is asked for; if nothing does, the notice is dropped and the case ends."""
    debtor = Debtor(driver)
    await debtor.owes()
    await debtor.taken()
    payment = await debtor.sends_money(amount=amount)
    await driver.attempt(await debtor.until(Step.ASK_ABOUT_MONEY))
    async with driver.services.database.transaction() as session:
        customer = await customers.get(session, "D-1")
        await customers.hold(session, customer.id or 0)
        target = await targets.of_invoice(session, "ALT-1")
        assert target
        await settlement.reconcile(session, payment, target.case_id, driver.at)

    if asked_for is None:
        await driver.attempt(await debtor.until(Step.END_DUNNING))
        assert arrived(driver) == 0
        return
    await driver.attempt(await debtor.until(Step.SEND_NOTICE))
    assert await debtor.value("select rendered_amount from dunning_notice") == Decimal(asked_for)


async def test_a_notice_that_came_back_goes_by_letter_the_next_day(driver: Driver) -> None:
    """The customer's day was taken by the mail; the letter does not count again."""
    debtor = Debtor(driver)
    await driver.attempt(await bounced(driver, "email_or_letter"))
    plan = (await debtor.look()).plan
    assert (plan.step, plan.next_step) == (Step.WAIT, "send a notice of level 1 tomorrow")

    driver.later(1)
    await driver.attempt(await debtor.until(Step.SEND_NOTICE))

    assert await debtor.value("select count(*) from dunning_notice where status = 'sent'") == 2
    assert await debtor.value("select level from dunning_case") == 1
    spool = driver.services.settings.letter_spool_dir
    assert spool
    assert len(list(spool.glob("*.pdf"))) == 1


async def test_what_came_back_after_the_ladder_ended_is_no_matter_any_more(driver: Driver) -> None:
    """Who has paid gets no letter, not even when late again."""
    debtor = Debtor(driver)
    await bounced(driver, "email_or_letter")
    await debtor.pays("119.00")
    await driver.attempt(await debtor.until(Step.END_DUNNING))

    driver.later(1)
    await debtor.owes(invoice_no="ALT-2")
    await debtor.taken()
    await driver.attempt(await debtor.until(Step.ANSWER_CLAIM))

    assert (await debtor.look()).plan.step is Step.SEND_NOTICE
