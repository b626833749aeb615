"""Calls to debtors: one row each, and what L3, L9 and L11 see before and after."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from sqlalchemy import text

from domain.company import Company
from domain.errors import ConflictError, RefusedError
from models.store.database import Database
from models.store.dunning import calls
from models.store.dunning.calls import Call, Noted

from .debtors import AT, TODAY, Debtor, call_task, debtor

DUE = TODAY + timedelta(days=7)


@pytest_asyncio.fixture
async def owing(database: Database, company: Company) -> Debtor:
    """Owes 100.00 that is due and 50.00 that is not."""
    return await debtor(
        database, company, [("ALT-1", "2026-02-01", "100.00"), ("ALT-2", "2026-05-01", "50.00")]
    )


async def task(who: Debtor, key: str = "call-1") -> int:
    """Put a task to call into the list."""
    async with who.database.transaction() as session:
        return await call_task(session, key)


async def done(who: Debtor, task_id: int, call: Call) -> bool:
    """Say what came of a task to call."""
    async with who.database.transaction() as session:
        return await calls.finish_task(
            session, task_id, call, Noted(who.company, TODAY, AT, "anna")
        )


async def noted(who: Debtor, call: Call) -> bool:
    """Note a call without a task."""
    async with who.database.transaction() as session:
        return await calls.note(session, "D-1", call, Noted(who.company, TODAY, AT, "anna"))


@pytest.mark.parametrize(
    ("outcome", "successful"),
    [("reached", True), ("not_reached", False), ("wrong_number", False)],
)
async def test_a_call_counts_and_the_filters_follow(
    owing: Debtor, outcome: str, *, successful: bool
) -> None:
    """L3 counts every call, L9 the tasks left, L11 only calls in which somebody was reached."""
    first, _ = await task(owing), await task(owing, "call-2")
    assert await owing.value("open_call_tasks") == 2
    assert await owing.value("calls_count") == 0
    assert await owing.value("days_since_successful_call") is None

    assert await done(owing, first, Call(outcome))
    assert await owing.value("open_call_tasks") == 1
    assert await owing.value("calls_count") == 1
    later = TODAY + timedelta(days=4)
    expected = 4 if successful else None
    assert await owing.value("days_since_successful_call", today=later) == expected


async def test_the_same_outcome_again_is_known(owing: Debtor) -> None:
    """One call per task: another outcome, or other details, are refused and change nothing."""
    task_id = await task(owing)
    said = Call("promised", day=DUE, amount=Decimal("60.00"), note="will pay on Friday")
    assert await done(owing, task_id, said)
    assert not await done(owing, task_id, said)
    for other in (Call("reached"), Call("promised", day=DUE), Call("promised", day=TODAY)):
        with pytest.raises(ConflictError, match="was done before"):
            await done(owing, task_id, other)
    assert await owing.value("calls_count") == 1
    assert await owing.rows("select task_id, outcome, successful from dunning_call") == [
        (task_id, "promised", True)
    ]
    assert await owing.rows("select due_date, amount, status from payment_promise") == [
        (DUE, Decimal(60), "open")
    ]
    texts = await owing.rows("select text from history where case_id = 'dunning-D-1'")
    assert not any("Friday" in line for (line,) in texts)
    (context,) = await owing.rows("select context -> 'call' ->> 'note' from task")
    assert context == ("will pay on Friday",)


async def test_a_dispute_on_the_phone_is_opened(owing: Debtor) -> None:
    """The invoice no longer counts as overdue; a dispute that is open already is left as it is."""
    assert await owing.value("oldest_overdue_days") == 57
    assert await done(owing, await task(owing), Call("disputed", invoice_no="ALT-1"))
    assert await owing.value("oldest_overdue_days") is None
    assert await done(owing, await task(owing, "call-2"), Call("disputed", invoice_no="ALT-1"))
    assert len(await owing.rows("select 1 from dunning_block")) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (Call("asleep"), "one of reached, not_reached, promised, disputed, wrong_number"),
        (Call("promised"), "which day was promised"),
        (Call("disputed"), "which invoice is disputed"),
        (Call("reached", day=DUE), "belong to the outcome promised"),
        (Call("promised", day=DUE, invoice_no="ALT-1"), "belongs to the outcome disputed"),
        (Call("promised", day=TODAY - timedelta(days=1)), "must lie between"),
        (Call("promised", day=DUE, amount=Decimal("150.01")), "owes 150.00 EUR"),
        (Call("disputed", invoice_no="X"), "There is no invoice X"),
    ],
)
async def test_nonsense_is_refused_as_a_whole(owing: Debtor, call: Call, words: str) -> None:
    """The task stays open and nothing is counted."""
    task_id = await task(owing)
    with pytest.raises(RefusedError, match=words):
        await done(owing, task_id, call)
    assert await owing.value("open_call_tasks") == 1
    for table in ("dunning_call", "dunning_case", "payment_promise", "dunning_block"):
        assert await owing.rows(f"select 1 from {table}") == []  # noqa: S608 - our own names


async def test_two_people_finish_the_same_task(owing: Debtor) -> None:
    """One call; who comes second with other words is told so."""
    task_id = await task(owing)
    results = await asyncio.gather(
        *(done(owing, task_id, Call(word)) for word in ("reached", "not_reached", "reached")),
        return_exceptions=True,
    )
    assert results.count(True) == 1
    assert len(await owing.rows("select 1 from dunning_call")) == 1
    assert await owing.value("calls_count") == 1


async def test_two_calls_at_once_are_both_counted(owing: Debtor) -> None:
    """Two tasks of one customer, done at the same moment."""
    ids = [await task(owing, f"call-{n}") for n in range(4)]
    assert all(await asyncio.gather(*(done(owing, one, Call("not_reached")) for one in ids)))
    assert await owing.value("calls_count") == 4
    assert await owing.rows("select calls_count, level from dunning_case") == [(4, 0)]


async def test_a_call_without_a_task_is_noted_once_a_day(owing: Debtor) -> None:
    """The same outcome again is the same call; another one is another call."""
    assert await noted(owing, Call("not_reached"))
    assert not await noted(owing, Call("not_reached"))
    assert await noted(owing, Call("promised", day=DUE))
    assert not await noted(owing, Call("promised", day=DUE))
    assert await noted(owing, Call("promised", day=DUE + timedelta(days=1)))
    assert await owing.value("calls_count") == 2
    with pytest.raises(RefusedError, match="kept in a task"):
        await noted(owing, Call("reached", note="x"))


async def test_a_call_to_somebody_who_owes_nothing_overdue_has_no_ladder(
    database: Database, company: Company
) -> None:
    """It is noted; there is no dunning case in which it could count (X11)."""
    early = await debtor(database, company, [("ALT-1", "2026-05-01", "100.00")])
    assert await noted(early, Call("reached"))
    assert await early.rows("select dunning_case_id from dunning_call") == [(None,)]
    assert await early.rows("select 1 from dunning_case") == []
    assert await early.value("calls_count") == 0
    assert await early.value("days_since_successful_call") == 0


@pytest.mark.parametrize(("manager", "caller"), [("viktor", "viktor"), ("Max Muster", "anna")])
async def test_the_account_manager_calls_if_that_is_a_user(
    owing: Debtor, manager: str, caller: str
) -> None:
    """Else the team that looks after customers (H6)."""
    async with owing.database.transaction() as session:
        assert await calls.caller_of(session, owing.id, owing.company) == "anna"
        await session.execute(text("delete from debtor where customer_id = :id"), {"id": owing.id})
        assert await calls.caller_of(session, owing.id, owing.company) == "anna"
    async with owing.database.transaction() as session:
        await session.execute(
            text("""insert into debtor (customer_id, problematic, preferred_contact, manager,
            custom_field_1, custom_field_2, custom_field_3, custom_field_4, custom_field_5,
            custom_field_6, custom_field_7, updated_at)
            values (:id, false, '', :manager, '', '', '', '', '', '', '', now())"""),
            {"id": owing.id, "manager": manager},
        )
        assert await calls.caller_of(session, owing.id, owing.company) == caller
