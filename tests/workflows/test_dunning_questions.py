"""Questions of a dunning case on a real Temporal server: the answer to a task lets the case go on.

What follows from each answer is proved in ``tests/activities/test_dunning_questions.py``.
"""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from domain.dunning.case import Status
from models.store import payments
from models.store.dunning.calls import Call, Noted
from models.store.payments import Receipt
from models.tables import Task
from starter import task_outcomes
from tests.faults.proxy import Verdict, content, first
from tests.workflows.arrears import TODAY, Arrears
from tests.workflows.house import House, eventually, now


@pytest.fixture
def arrears(house: House) -> Arrears:
    """Customers in arrears in a house."""
    return Arrears(house)


async def answers(arrears: Arrears, case_id: str, kind: str, outcome: str) -> None:
    """Mark the case's only task as done, as the API does."""

    async def asked() -> Task | None:
        return next(iter(await arrears.house.tasks(case_id)), None)

    task = await eventually(asked)
    assert task.kind == kind
    async with arrears.house.database.transaction() as session:
        who = Noted(arrears.house.company, TODAY, now(), "anna")
        await task_outcomes.finish(session, task.id or 0, Call(outcome), {"outcome"}, who)
    arrears.house.wake.set()


@pytest.mark.parametrize("asks_nobody", [True])
async def test_a_notice_of_which_nobody_knows_is_never_sent_twice(arrears: Arrears) -> None:
    """A plain mail server takes the mail and breaks off: a person says that it has arrived."""
    await arrears.owes(arrears.who)
    arrears.house.post.judge = first(1, content, Verdict.CUT_AFTER)
    await arrears.run(await arrears.rule())
    file = await arrears.rests(arrears.who, Status.ON_HOLD)
    (notice,) = await arrears.notices(arrears.who)
    assert notice.status == "unknown"
    assert await arrears.ladder(arrears.who) == (0, 0)

    await answers(arrears, file.id, "notice_unknown", "sent")

    await arrears.rests(arrears.who, Status.DUNNING)
    await arrears.sees(arrears.who, "sent")
    assert await arrears.ladder(arrears.who) == (1, 1)
    assert await arrears.house.mails(file.id) == ["notice"]


async def test_a_notice_waits_until_it_is_clear_whose_money_came(arrears: Arrears) -> None:
    """It names no invoice, but the customer's number: nothing goes out before the answer."""
    await arrears.owes(arrears.who)
    receipt = Receipt(
        provider="bank",
        transaction_id=str(uuid.uuid4()),
        amount=Decimal("50.00"),
        currency="EUR",
        valid_on=TODAY,
        source="webhook",
        reference=f"Kunde {arrears.who}",
    )
    async with arrears.house.database.transaction() as session:
        await payments.receive(session, receipt, now(), by="tests")
    await arrears.run(await arrears.rule())
    file = await arrears.rests(arrears.who, Status.ON_HOLD)
    assert await arrears.house.mails(file.id) == []

    await answers(arrears, file.id, "whose_money", "not_theirs")

    await arrears.sees(arrears.who, "sent")
    assert await arrears.house.mails(file.id) == ["notice"]
