"""Promises and instalments in the database: what keeps them, and what the filters see of it."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.company import Company
from domain.dunning.instalments import Every
from domain.errors import RefusedError
from models.store import customers
from models.store.database import Database
from models.store.dunning import agreements, blocks, disputes, holding, plans, promises
from models.store.dunning.holding import Held
from models.store.dunning.plans import PlanRequest
from models.store.dunning.promises import Promise
from tests import invariants

from .debtors import AT, TODAY, Debtor, debtor

DUE = TODAY + timedelta(days=7)
LATER = DUE + timedelta(days=3)


@pytest_asyncio.fixture
async def owing(database: Database, company: Company) -> Debtor:
    """Owes 100.00 that is due, and 50.00 that is not yet."""
    return await debtor(
        database, company, [("ALT-1", "2026-02-01", "100.00"), ("ALT-2", "2026-05-01", "50.00")]
    )


async def promise(who: Debtor, day: date, amount: str | None = None) -> bool:
    """Record a promise."""
    async with who.database.transaction() as session:
        return await promises.add(
            session,
            "D-1",
            Promise(day, Decimal(amount) if amount else None),
            who.company,
            today=TODAY,
            at=AT,
            by="anna",
        )


async def plan(who: Debtor, *, total: str | None = None, count: int = 3) -> bool:
    """Agree on weekly instalments from the next week on."""
    request = PlanRequest(count, DUE, Every.WEEK, Decimal(total) if total else None)
    async with who.database.transaction() as session:
        return await plans.create(
            session, "D-1", request, who.company, today=TODAY, at=AT, by="anna"
        )


async def statuses(who: Debtor) -> list[str]:
    """The statuses of all agreed dates, in their order."""
    return [row[0] for row in await who.rows("select status from payment_promise order by id")]


async def test_a_promise_of_all_that_is_due_is_kept_by_exactly_that(owing: Debtor) -> None:
    """Not by a part of it, and not by money for what is due later."""
    assert await promise(owing, DUE)
    await owing.pays("ALT-2", "50.00", "B-1")
    await owing.pays("ALT-1", "99.99", "B-2")
    assert await statuses(owing) == ["open"]
    assert await owing.value("promise_overdue_days", today=LATER) == 3
    await owing.pays("ALT-1", "0.01", "B-3")
    assert await statuses(owing) == ["kept"]
    ended = await owing.rows("select ended_as, ended_at from payment_agreement")
    assert ended == [("kept", AT)]
    (line,) = await owing.rows("select text from history where event = 'promise_kept'")
    assert line == (f"The promise for {DUE} is kept",)
    await invariants.check(owing.database)


async def test_a_promised_sum_is_kept_by_that_sum_for_what_was_owed_then(owing: Debtor) -> None:
    """On whichever invoice it arrives; a claim that came later does not count."""
    await promise(owing, DUE, "60.00")
    await owing.pays("ALT-2", "50.00", "B-1")
    assert await statuses(owing) == ["open"]
    await owing.pays("ALT-1", "10.00", "B-2")
    assert await statuses(owing) == ["kept"]
    assert await promise(owing, DUE, "60.00")
    again = await debtor(owing.database, owing.company, [("NEU-1", "2026-03-01", "500.00")])
    await again.pays("NEU-1", "500.00", "B-3")
    assert await statuses(owing) == ["kept", "open"]


async def test_a_payment_keeps_the_oldest_instalments_first(owing: Debtor) -> None:
    """150.00 in three: 40 keeps none, 60 more keep two, the rest ends the plan; L10 follows."""
    assert await plan(owing)
    third = DUE + timedelta(days=15)
    assert await owing.value("promise_overdue_days", today=third) == 15
    await owing.pays("ALT-1", "40.00", "B-1")
    assert await statuses(owing) == ["open"] * 3
    await owing.pays("ALT-1", "60.00", "B-2")
    assert await statuses(owing) == ["kept", "kept", "open"]
    assert await owing.value("promise_overdue_days", today=third) == 1
    await owing.pays("ALT-2", "50.00", "B-3")
    assert await statuses(owing) == ["kept"] * 3
    async with owing.database.transaction() as session:
        assert (await plans.show(session, "D-1")).status == "kept"


async def test_a_plan_over_a_part_of_the_debt(owing: Debtor) -> None:
    """It is paid when that part is, whatever is owed beside it."""
    assert await plan(owing, total="90.00")
    assert not await plan(owing, total="90.00")
    assert not await plan(owing)
    with pytest.raises(RefusedError, match="cancel them first"):
        await plan(owing, total="91.00")
    with pytest.raises(RefusedError, match="cancel them first"):
        await promise(owing, DUE)
    await owing.pays("ALT-1", "90.00", "B-1")
    assert await statuses(owing) == ["kept"] * 3


async def test_what_is_disputed_is_not_promised(owing: Debtor) -> None:
    """Unless a sum is named: "all that is due" is all that the customer does not deny."""
    async with owing.database.transaction() as session:
        subject = await blocks.of_invoice(session, "ALT-1")
        await disputes.open_dispute(
            session, subject, reason="broken", today=TODAY, at=AT, by="anna"
        )
    with pytest.raises(RefusedError, match="does not dispute"):
        await promise(owing, DUE)
    await promise(owing, date(2026, 5, 1))
    assert await plan(owing)
    assert await owing.rows("select total from payment_agreement order by id") == [
        *((None,), (Decimal(50),)),
    ]
    await owing.pays("ALT-2", "50.00", "B-1")
    assert await statuses(owing) == ["withdrawn"] + ["kept"] * 3


async def test_a_newer_agreement_replaces_a_promise(owing: Debtor) -> None:
    """The older one is withdrawn, and the history says so; exactly the same is known."""
    await promise(owing, DUE)
    assert not await promise(owing, DUE)
    assert await promise(owing, LATER)
    assert await promise(owing, LATER, "10.00")
    assert await plan(owing)
    assert await statuses(owing) == ["withdrawn"] * 3 + ["open"] * 3
    ends = await owing.rows("select ended_as from payment_agreement order by id")
    assert ends == [("replaced",)] * 3 + [("",)]
    assert len(await owing.rows("select 1 from history where event = 'promise_replaced'")) == 3


async def test_an_agreement_holds_contact_until_its_last_day(owing: Debtor) -> None:
    """A reminder of the agreed date itself may go out."""

    async def held(today: date) -> Held | None:
        async with owing.database.transaction() as session:
            return await holding.held(session, owing.id, today)

    assert await held(TODAY) is None
    await promise(owing, DUE)
    found = await held(DUE)
    assert found
    assert (found.until, found.hears_of_instalments) == (DUE, True)
    assert await held(DUE + timedelta(days=1)) is None


async def test_a_payment_while_a_promise_is_set(owing: Debtor) -> None:
    """Whichever comes first: nobody waits for money that is there."""
    results = await asyncio.gather(
        promise(owing, DUE, "100.00"),
        owing.pays("ALT-1", "100.00", "B-1"),
        return_exceptions=True,
    )
    if isinstance(results[0], BaseException):  # the money was there: only 50.00 are owed
        assert "owes 50.00 EUR" in str(results[0])
        assert await statuses(owing) == []
    else:
        assert await statuses(owing) == ["kept"]


async def test_two_agreements_at_once(owing: Debtor) -> None:
    """One after the other: at the end one is open, and the database lets no second one be."""
    days = [DUE + timedelta(days=n) for n in range(6)]
    await asyncio.gather(*(promise(owing, day) for day in days))
    assert sorted(await statuses(owing)) == ["open"] + ["withdrawn"] * 5
    with pytest.raises(DBAPIError, match="payment_agreement_open"):
        async with owing.database.transaction() as session:
            await session.execute(
                text("""insert into payment_agreement (customer_id, kind, currency, every,
                agreed_at, agreed_by, ended_as, ended_by, reason)
                values (:id, 'promise', 'EUR', '', now(), 'x', '', '', '')"""),
                {"id": owing.id},
            )


async def test_an_agreement_stays_what_was_agreed(owing: Debtor) -> None:
    """Neither the sum nor what it is about can be changed; what has ended stays so."""
    await promise(owing, DUE, "60.00")
    for change in (
        "update payment_agreement set total = 1",
        "update agreed_item set owed = 1",
        "delete from agreed_item",
        "truncate payment_agreement, agreed_item, payment_promise",
    ):
        with pytest.raises(DBAPIError):
            async with owing.database.transaction() as session:
                await session.execute(text(change))


async def test_settling_finds_nothing_where_nothing_is_agreed(owing: Debtor) -> None:
    """And can be repeated as often as one likes."""
    async with owing.database.transaction() as session:
        await customers.hold(session, owing.id)
        assert await agreements.settle_kept(session, owing.id, AT) == 0
    await promise(owing, DUE, "10.00")
    await owing.pays("ALT-1", "100.00", "B-1")
    async with owing.database.transaction() as session:
        assert await agreements.settle_kept(session, owing.id, AT) == 0
