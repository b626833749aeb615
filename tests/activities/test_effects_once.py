"""Every activity, run twice and many times at once with the same key, has its effect once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from connectors.mailbox import list_mails
from domain.errors import ConflictError, TryLaterError
from domain.order_case import Step
from models.messages import Progress, StepRequest
from models.store import customers
from models.store.database import Database
from tests.activities.driver import Driver, Occasion
from tests.activities.scenarios import SCENARIOS, told

TABLES = [
    "allocation",
    "approval",
    "case_exception",
    "customer",
    "document",
    "invoice",
    "journal_entry",
    "open_item",
    "outgoing_mail",
    "payment",
    "posting",
    "task",
]

# Which sample brings a case to which step, and how much is paid on the way.
WAYS = {
    Step.VALIDATE_CUSTOMER: ("zahltag-ok", None),
    Step.CREATE_INVOICE: ("zahltag-ok", None),
    Step.SEND_EMAIL: ("zahltag-ok", None),
    Step.SET_DUE_DATE: ("zahltag-ok", None),
    Step.CREATE_TASK: ("zahltag-ok", None),
    Step.RECONCILE_PAYMENT: ("zahltag-paid", None),
    Step.REQUEST_APPROVAL: ("zahltag-risk", None),
    Step.CLOSE_CASE: ("zahltag-paid", None),
}


async def counts(database: Database) -> dict[str, int]:
    """Count the rows of every table that an effect writes."""
    async with database.engine.connect() as connection:
        return {
            table: (await connection.execute(text("select count(*) from " + table))).scalar_one()  # noqa: S608
            for table in TABLES
        }


@pytest.mark.parametrize("step", WAYS, ids=str)
async def test_at_once_and_again(driver: Driver, step: Step) -> None:
    """Five at the same time, then once more: one effect, one answer."""
    sample, _ = WAYS[step]
    case_id = await driver.submit(sample)
    request = driver.request(case_id, await driver.until(case_id, step))
    activity = driver.activity(step)

    answers = await asyncio.gather(*(activity(request) for _ in range(5)), return_exceptions=True)

    done = [answer for answer in answers if isinstance(answer, Progress)]
    busy = [answer for answer in answers if not isinstance(answer, Progress)]
    assert done
    assert all(isinstance(error, TryLaterError) for error in busy), busy
    after = await counts(driver.services.database)
    again = await activity(request)
    assert again.plan == done[-1].plan
    assert (
        again.plan.step is not step
        or again.plan.cause != request.cause
        or (
            again.plan.mail,
            again.plan.task,
        )
        != (request.mail, request.task)
    )
    assert await counts(driver.services.database) == after


async def test_the_same_key_for_something_else_is_an_error(driver: Driver) -> None:
    """Two effects must never share a name."""
    case_id = await driver.submit("zahltag-ok")
    request = driver.request(case_id, await driver.until(case_id, Step.SET_DUE_DATE))
    activity = driver.activity(Step.SET_DUE_DATE)
    await activity(request)

    with pytest.raises(ConflictError, match="other content"):
        await activity(request.model_copy(update={"cause": "invoice-999"}))


async def test_thirty_invoices_at_once_have_thirty_numbers(driver: Driver) -> None:
    """Numbers are gapless under concurrency, and one that fails gives its number back."""
    case_ids = [
        await driver.submit(
            "zahltag-ok",
            order_no=f"N-{n}",
            placed_at=f"2026-11-{1 + n // 24:02}T{n % 24:02}:00:00+01:00",
        )
        for n in range(30)
    ]
    plans = [await driver.until(case_id, Step.CREATE_INVOICE) for case_id in case_ids]
    activity = driver.activity(Step.CREATE_INVOICE)
    requests = [driver.request(c, p) for c, p in zip(case_ids, plans, strict=True)]
    broken = requests[0].model_copy(update={"case_id": "no-such-case"})

    await asyncio.gather(*map(activity, [*requests, broken]), return_exceptions=True)

    async with driver.services.database.engine.connect() as connection:
        numbers = (
            await connection.execute(text("select number from invoice order by 1"))
        ).scalars()
        assert list(numbers) == list(range(1, 31))


async def test_an_invoice_is_not_made_of_an_order_that_changed(driver: Driver) -> None:
    """The plan is looked at again inside the transaction: what is stale makes nothing."""
    case_id = await driver.submit("zahltag-ok")
    request = driver.request(case_id, await driver.until(case_id, Step.CREATE_INVOICE))
    later = {"modified_at": "2026-11-17T08:00:00+01:00", "note": "please neutral"}
    address = {"name": "K. Brandt", "street": "Neuer Weg 1", "postcode": "53111", "city": "Bonn"}
    await driver.submit(
        "zahltag-ok", billing_address={**address, "country": "DE", "company": "Brandt"}, **later
    )

    progress = await driver.activity(Step.CREATE_INVOICE)(request)

    assert progress.plan.step is Step.VALIDATE_CUSTOMER
    assert (await counts(driver.services.database))["invoice"] == 0


async def test_overdue_is_noted_on_the_right_day_only(driver: Driver) -> None:
    """Not on the due date itself; the day after it."""
    case_id = await driver.submit("zahltag-ok")
    waiting = await driver.until(case_id, Step.WAIT)
    assert waiting.due_date
    assert waiting.wake_at
    driver.at = waiting.wake_at.replace(hour=22, minute=59)  # 23:59 in Berlin, the day before
    driver.later(-1)
    assert (await driver.look(case_id)).plan.step is Step.WAIT
    driver.at = waiting.wake_at

    assert (await driver.look(case_id)).plan.step is Step.NOTE_OVERDUE


async def test_the_mail_says_what_the_document_says(driver: Driver) -> None:
    """The PDF attached is the one that is stored, byte for byte, in every attempt."""
    case_id = await driver.submit("zahltag-ok")
    await driver.until(case_id, Step.SET_DUE_DATE)
    folder = driver.services.settings.mailbox_dir
    assert folder
    (mail,) = list_mails(folder)
    assert mail.to == "buchhaltung@brandt-soehne.example"
    async with driver.services.database.engine.connect() as connection:
        query = text("select filename from document")
        assert list((await connection.execute(query)).scalars()) == [
            a if isinstance(a, str) else a.filename for a in mail.attachments
        ]
    assert Decimal("119.00") == (await driver.look(case_id)).amount_due


async def test_a_payment_that_came_before_stops_the_rescue_mail(driver: Driver) -> None:
    """The settlement barrier: what was planned is looked at again under the customer's lock."""
    case_id = await driver.submit("zahltag-payment-failed")
    request = driver.request(case_id, await driver.until(case_id, Step.SEND_EMAIL))
    assert request.mail == "payment_rescue"
    await driver.pay(case_id, f"{(await driver.look(case_id)).amount_due:.2f}")

    progress = await driver.activity(Step.SEND_EMAIL)(request)

    assert progress.plan.step is Step.CREATE_INVOICE
    assert (await counts(driver.services.database))["outgoing_mail"] == 0


@pytest.mark.parametrize(("terms", "days"), [(None, 30), (7, 7)])
async def test_the_due_date_follows_the_customers_terms(
    driver: Driver, terms: int | None, days: int
) -> None:
    """A business has the company's terms for businesses, or those agreed with it (F1, F2)."""
    case_id = await driver.submit("zahltag-ok")
    progress = await driver.until(case_id, Step.CREATE_INVOICE)
    async with driver.services.database.transaction() as session:
        await customers.set_terms(session, progress.customer_no, terms)

    waiting = await driver.until(case_id, Step.WAIT)

    assert waiting.due_date == driver.at.date() + timedelta(days=days)


async def test_a_failure_that_a_person_has_answered_is_not_told_again(driver: Driver) -> None:
    """Its report is repeated after the retry, its worker having died; a new failure is a new one."""
    failed = await SCENARIOS["create_task.step_failed"](driver)
    assert isinstance(failed.request, StepRequest)

    async def tasks_of(occasion: Occasion) -> list[str]:
        await driver.attempt(occasion)
        async with driver.services.database.engine.connect() as connection:
            found = text("select status from task where kind = 'step_failed' order by id")
            return list((await connection.execute(found)).scalars())

    assert await tasks_of(failed) == ["open"]
    assert await tasks_of(told(driver, failed.request.case_id, "retry")) == ["done"]
    assert await tasks_of(failed) == ["done"]
    assert await tasks_of(replace(failed, number=2)) == ["done", "open"]
