"""Every way an order can take, on a real Temporal server, PostgreSQL and mailbox."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.testing import WorkflowEnvironment

from models.messages import Command
from tests.workflows.house import House, eventually, now
from tests.workflows.opening import CACHED_OR_NOT


@CACHED_OR_NOT
async def test_an_open_order_is_invoiced_paid_and_closed(house: House) -> None:
    """The customer gets the invoice, pays, gets a confirmation; the follow-up task closes."""
    case_id = await house.submit("zahltag-ok")
    waiting = await house.reaches(case_id, "awaiting_payment")
    assert waiting.amount_due == Decimal("119.00")
    assert waiting.due_date is not None
    assert [task.status for task in await house.tasks(case_id)] == ["open"]

    await house.pay(case_id, "119.00")

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice", "payment_confirmation"]
    assert [task.status for task in await house.tasks(case_id)] == ["done"]


async def test_a_paid_order_gets_one_mail(house: House) -> None:
    """The invoice of a prepaid order says so and is its payment confirmation."""
    case_id = await house.submit("zahltag-paid")

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice"]
    assert await house.tasks(case_id) == []


async def test_a_failed_payment_is_rescued(house: House) -> None:
    """The customer is offered another way to pay; the invoice comes with the money."""
    case_id = await house.submit("zahltag-payment-failed")
    waiting = await house.reaches(case_id, "payment_failed")
    assert waiting.invoice_no is None
    assert [task.kind for task in await house.tasks(case_id)] == ["payment_failed"]

    await house.pay(case_id, f"{waiting.amount_due:.2f}")

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["payment_rescue", "invoice"]
    assert {task.status for task in await house.tasks(case_id)} == {"done"}


async def test_a_risky_order_waits_for_an_approval(house: House) -> None:
    """Nothing is made of it before a person approves."""
    case_id = await house.submit("zahltag-risk")
    await house.reaches(case_id, "needs_approval")
    assert await house.mails(case_id) == []

    await house.decide(case_id, "approve")

    await house.reaches(case_id, "awaiting_payment")
    assert await house.mails(case_id) == ["invoice"]


async def test_a_rejected_order_closes_without_an_invoice(house: House) -> None:
    """Operators may reject from the Temporal Web UI, without our API."""
    case_id = await house.submit("zahltag-risk")
    await house.reaches(case_id, "needs_approval")

    command = Command(id="reject-1", by="olga", reason="known fraud")
    await house.workflow(case_id).signal("rejection", command)

    assert await house.ends(case_id) == "rejected"
    assert await house.mails(case_id) == []
    assert any(h.actor == "olga via Temporal" for h in await house.history(case_id))


async def test_every_finding_is_reported_at_once_and_the_case_goes_on(house: House) -> None:
    """A wrong order waits as exceptions; after the correction it is invoiced."""
    address = {"name": "Erika Muster", "street": "", "postcode": "1", "city": "", "country": "DE"}
    case_id = await house.submit("zahltag-ok", billing_address=address)
    await house.reaches(case_id, "needs_correction")
    found = {problem.field for problem in await house.problems(case_id)}
    assert {"billing.street", "billing.postcode", "billing.city"} <= found

    await house.decide(case_id, "correct", **{"billing.street": "Am Markt 1"})
    await eventually(lambda: _fewer(house, case_id, len(found)))
    more = {"billing.postcode": "53111", "billing.city": "Bonn", "billing.company": "Muster GmbH"}
    await house.decide(case_id, "correct", **more)

    await house.reaches(case_id, "awaiting_payment")
    assert await house.problems(case_id) == []


async def _fewer(house: House, case_id: str, than: int) -> bool | None:
    return len(await house.problems(case_id)) < than or None


async def test_an_operator_corrects_through_an_update(house: House) -> None:
    """The Web UI's update has the same effect; a wrong field is refused in plain words."""
    case_id = await house.submit("zahltag-missing-tax-rate")
    await house.reaches(case_id, "needs_correction")
    wrong = Command(id="c1", by="olga", fields={"colour": "red"})
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await house.workflow(case_id).execute_update("correct", wrong)
    assert "colour" in str(refused.value.cause)

    right = Command(id="c2", by="olga", fields={"lines.2.tax_rate": "7"})
    await house.workflow(case_id).execute_update("correct", right)

    case = await house.case(case_id)
    assert case.status != "needs_correction" or case.why


@CACHED_OR_NOT
async def test_a_command_that_does_not_fit_leaves_no_trace(house: House) -> None:
    """The validator refuses before anything is written to the history."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await house.workflow(case_id).execute_update("retry", Command(id="r1"))
    assert "waits for payment" in str(refused.value.cause)
    with pytest.raises(WorkflowUpdateFailedError):
        await house.workflow(case_id).execute_update("approve", Command(id="a1"))
    history = await house.workflow(case_id).fetch_history()
    assert not [e for e in history.events if "UPDATE_ACCEPTED" in str(e.event_type)]


@CACHED_OR_NOT
async def test_payments_come_in_any_number_and_order(house: House) -> None:
    """Parts add up, repetitions count once, what is too much stays on account with a task."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")

    first = await house.pay(case_id, "50.00", "part-1")
    await house.pay(case_id, "50.00", "part-1")
    await house.reaches(case_id, "awaiting_payment")
    await eventually(lambda: _owed(house, case_id, "69.00"))
    signals = [
        house.workflow(case_id).signal("payment_received", {"payment_id": first}) for _ in range(20)
    ]
    await asyncio.gather(*signals, house.pay(case_id, "40.00"), house.pay(case_id, "100.00"))

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice", "payment_confirmation"]
    left = [p for p in await house.payments(case_id) if p.unallocated]
    assert sum(p.unallocated for p in left) == Decimal("71.00")
    asked = [
        t.context["payment_id"] for t in await house.tasks(case_id) if "payment_id" in t.context
    ]
    assert sorted(asked) == sorted(p.id for p in left)


async def _owed(house: House, case_id: str, amount: str) -> bool | None:
    return await house.open_amount(case_id) == Decimal(amount) or None


async def test_money_in_another_currency_settles_nothing(house: House) -> None:
    """It is booked, and a person decides."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    await house.pay(case_id, "119.00", currency="CHF")

    async def has_task() -> bool | None:
        return any(t.kind == "payment_on_account" for t in await house.tasks(case_id)) or None

    await eventually(has_task)
    assert await house.open_amount(case_id) == Decimal("119.00")


async def test_an_unpaid_invoice_becomes_overdue(
    house: House, temporal: WorkflowEnvironment
) -> None:
    """The day after the due date the case says so; the payment still closes it."""
    case_id = await house.submit("zahltag-ok")
    before = await house.reaches(case_id, "awaiting_payment")
    assert before.next_step_at is not None

    await temporal.fast_forward(house.workflow(case_id), timedelta(days=20))
    assert (await house.case(case_id)).status == "awaiting_payment"
    await temporal.fast_forward(house.workflow(case_id), timedelta(days=30))

    overdue = await house.reaches(case_id, "overdue")
    assert overdue.needs_attention
    await house.pay(case_id, "119.00")
    assert await house.ends(case_id) == "closed"


async def test_a_payment_after_the_end_brings_the_case_back(house: House) -> None:
    """It stays on account with a task; no second mail goes out, no second invoice is made."""
    case_id = await house.submit("zahltag-paid")
    assert await house.ends(case_id) == "closed"

    await house.pay(case_id, "10.00", "late")

    async def has_task() -> bool | None:
        return [t.kind for t in await house.tasks(case_id)] == ["payment_on_account"] or None

    await eventually(has_task)
    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice"]


async def test_the_same_order_again_does_nothing(house: House) -> None:
    """Twice, a hundred times, at once: one case, one invoice, one mail."""
    case_ids = await asyncio.gather(*(house.submit("zahltag-paid") for _ in range(20)))
    assert len(set(case_ids)) == 1
    assert await house.ends(case_ids[0]) == "closed"
    assert await house.mails(case_ids[0]) == ["invoice"]


async def test_a_double_order_is_caught(house: House) -> None:
    """Same customer, positions and total within ten minutes: a person has to accept it."""
    await house.reaches(await house.submit("zahltag-ok"), "awaiting_payment")
    again = await house.submit("zahltag-duplicate-of-ok")
    await house.reaches(again, "needs_correction")
    assert [p.kind for p in await house.problems(again)] == ["duplicate_order"]

    await house.decide(again, "correct", **{"accept.duplicate_order": "yes"})

    await house.reaches(again, "awaiting_payment")


async def test_a_shop_that_says_paid_later_pays(house: House) -> None:
    """A newer version of the order that is paid is a payment; an older one says nothing."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    paid = {"status": "successful", "method": "paypal", "provider": "paypal"}
    paid |= {"transaction_id": "PP-1"}
    await house.order_again("zahltag-ok", payment=paid, later="2026-11-18T10:00:00+01:00")

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice", "payment_confirmation"]


async def test_a_lost_workflow_comes_back_from_the_facts(house: House) -> None:
    """Terminated by hand: the sweeper starts it again, and it goes on where it stood."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    await house.workflow(case_id).terminate("by hand")

    house.dispatcher.clock = lambda: now() + timedelta(minutes=1)
    assert await eventually(lambda: _swept(house)) == 1
    await house.pay(case_id, "119.00")

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice", "payment_confirmation"]


async def _swept(house: House) -> int | None:
    return await house.dispatcher.sweep() or None


@CACHED_OR_NOT
async def test_a_long_history_continues_as_new_and_loses_no_payment(house: House) -> None:
    """Many small payments while the case continues as new: each counts once."""
    case_id = await house.submit("zahltag-ok")
    await house.reaches(case_id, "awaiting_payment")
    for tens in range(3):
        numbers = range(10 * tens, 10 * tens + 10)
        await asyncio.gather(*(house.pay(case_id, "1.00", f"p{n}") for n in numbers))
        owed = f"{119 - 10 * (tens + 1)}.00"
        await eventually(lambda owed=owed: _owed(house, case_id, owed))

    async def continued() -> bool | None:
        runs = [run async for run in house.client.list_workflows(f"WorkflowId = '{case_id}'")]
        return len(runs) > 1 or None

    await eventually(continued)
    await house.pay(case_id, "89.00")
    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice", "payment_confirmation"]


async def test_a_refused_mail_becomes_a_task_and_is_retried(house: House) -> None:
    """The server refuses the address for good: an exception with a task; retry resumes there."""
    buyer = {"name": "K. Brandt", "email": "refused@brandt-soehne.example", "language": "de"}
    case_id = await house.submit("zahltag-paid", buyer=buyer)
    failed = await house.reaches(case_id, "needs_retry")
    assert failed.needs_attention
    (problem,) = await house.problems(case_id)
    assert (problem.kind, problem.field) == ("step_failed", "send_email")
    assert "refused@" not in problem.found
    assert await house.mails(case_id) == []

    house.refuses.clear()
    await house.decide(case_id, "retry")

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice"]
    assert [task.status for task in await house.tasks(case_id)] == ["done"]


@CACHED_OR_NOT
async def test_the_mail_server_is_away_for_a_while(house: House) -> None:
    """Nothing is recorded as sent; when the server is back, the mail goes out once."""
    house.away.set()
    case_id = await house.submit("zahltag-paid")

    async def invoiced() -> bool | None:
        return (await house.case(case_id)).invoice_no is not None or None

    await eventually(invoiced)
    await asyncio.sleep(1)
    assert "mail_sent" not in {line.event for line in await house.history(case_id)}

    house.away.clear()

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice"]


async def test_a_test_order_and_a_cancelled_one_make_no_invoice(house: House) -> None:
    """A test order waits for a person; an order that the shop cancelled closes by itself."""
    test = await house.submit("zahltag-test-order")
    await house.reaches(test, "needs_correction")
    cancelled = await house.submit("zahltag-ok", cancelled=True)

    assert await house.ends(cancelled) == "cancelled"
    assert await house.mails(cancelled) == []
