"""Blocks, disputes and insolvency: what they keep away, and how they end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import pytest_asyncio
from sqlalchemy.exc import DBAPIError

from domain.company import Company
from domain.errors import RefusedError
from models.store.database import Database
from models.store.dunning import blocks, disputes, holding, insolvency
from models.store.dunning.holding import Held

from .debtors import AT, TODAY, Debtor, debtor

DAY = timedelta(days=1)
WHO = {"today": TODAY, "at": AT, "by": "anna"}


@pytest_asyncio.fixture
async def owing(database: Database, company: Company) -> Debtor:
    """Owes two invoices that are due."""
    return await debtor(
        database, company, [("ALT-1", "2026-02-01", "100.00"), ("ALT-2", "2026-03-01", "50.00")]
    )


async def held(who: Debtor, days: int = 0) -> Held | None:
    """What holds contact so many days from now."""
    async with who.database.transaction() as session:
        return await holding.held(session, who.id, TODAY + days * DAY)


async def block(
    who: Debtor, *, days: int | None = None, invoice: str | None = None, reason: str = "asked"
) -> bool:
    """Set a block."""
    until = None if days is None else TODAY + days * DAY
    async with who.database.transaction() as session:
        subject = await blocks.of_customer(session, "D-1", invoice)
        return await blocks.block(session, subject, until=until, reason=reason, **WHO)


async def lift(who: Debtor, invoice: str | None = None, days: int = 0) -> bool:
    """Lift a block, so many days from now."""
    async with who.database.transaction() as session:
        subject = await blocks.of_customer(session, "D-1", invoice)
        return await blocks.lift(session, subject, **{**WHO, "today": TODAY + days * DAY})


async def dispute(who: Debtor, invoice: str, reason: str = "damaged") -> bool:
    """Open a dispute."""
    async with who.database.transaction() as session:
        subject = await blocks.of_invoice(session, invoice)
        return await disputes.open_dispute(session, subject, reason=reason, **WHO)


async def close(who: Debtor, invoice: str, outcome: str = "replaced") -> bool:
    """Close a dispute."""
    async with who.database.transaction() as session:
        subject = await blocks.of_invoice(session, invoice)
        return await disputes.close_dispute(session, subject, outcome=outcome, **WHO)


async def test_a_block_holds_to_its_last_day(owing: Debtor) -> None:
    """Then it is over by itself; lifting what is over is known."""
    assert await held(owing) is None
    assert await block(owing, days=2)
    assert not await block(owing, days=2)
    found = await held(owing, 2)
    assert found
    assert (found.until, "blocked" in found.why) == (TODAY + 2 * DAY, True)
    assert await held(owing, 3) is None
    assert not await lift(owing, days=3)
    assert await lift(owing)
    assert not await lift(owing)
    assert await held(owing) is None


async def test_another_block_is_refused_until_the_first_is_lifted(owing: Debtor) -> None:
    """Other words or another day; after lifting it is set anew."""
    await block(owing, days=2)
    for days, reason in ((3, "asked"), (None, "asked"), (2, "other")):
        with pytest.raises(RefusedError, match="lift that first"):
            await block(owing, days=days, reason=reason)
    await lift(owing)
    assert await block(owing)
    found = await held(owing, 1000)
    assert found
    assert found.until is None


async def test_an_invoice_alone_is_blocked_or_disputed(owing: Debtor) -> None:
    """It is not overdue any more; when all are excepted, the customer hears nothing."""
    assert await owing.value("oldest_overdue_days") == 57
    await block(owing, invoice="ALT-1")
    assert await owing.value("oldest_overdue_days") == 29
    assert await held(owing) is None
    await dispute(owing, "ALT-2")
    assert await owing.value("oldest_overdue_days") is None
    found = await held(owing)
    assert found
    assert (found.until, found.why) == (None, "everything overdue is disputed or blocked")
    await lift(owing, "ALT-1")
    await block(owing, invoice="ALT-1", days=4)
    found = await held(owing)
    assert found
    assert found.until == TODAY + 4 * DAY
    assert await held(owing, 5) is None
    assert await close(owing, "ALT-2")
    assert await held(owing) is None


async def test_a_dispute_is_opened_and_closed_once(owing: Debtor) -> None:
    """The same words are known, others are refused; after its end it can be opened again."""
    assert await dispute(owing, "ALT-1")
    assert not await dispute(owing, "ALT-1")
    with pytest.raises(RefusedError, match="for another reason"):
        await dispute(owing, "ALT-1", "late")
    with pytest.raises(RefusedError, match="disputed, not blocked"):
        await lift(owing, "ALT-1")
    assert await close(owing, "ALT-1")
    assert not await close(owing, "ALT-1")
    with pytest.raises(RefusedError, match="another outcome"):
        await close(owing, "ALT-1", "refused")
    assert await dispute(owing, "ALT-1")
    with pytest.raises(RefusedError, match="not disputed"):
        await close(owing, "ALT-2")


async def test_what_is_paid_is_neither_blocked_nor_disputed(owing: Debtor) -> None:
    """There is nothing to keep away."""
    await owing.pays("ALT-1", "100.00", "B-1")
    with pytest.raises(RefusedError, match="Nothing is open on invoice ALT-1"):
        await dispute(owing, "ALT-1")
    with pytest.raises(RefusedError, match="Nothing is open on invoice ALT-1"):
        await block(owing, invoice="ALT-1")


async def test_insolvency_stops_everything_and_asks_for_the_claim(owing: Debtor) -> None:
    """A task with the earliest deadline; only `customer solvent` takes it back, and the task."""
    since = TODAY - 3 * DAY

    async def insolvent(day: timedelta = 3 * DAY) -> bool:
        async with owing.database.transaction() as session:
            return await insolvency.note_insolvent(
                session, "D-1", since=TODAY - day, company=owing.company, **WHO
            )

    async def solvent() -> bool:
        async with owing.database.transaction() as session:
            return await insolvency.note_solvent(session, "D-1", **WHO)

    with pytest.raises(RefusedError, match="not known as insolvent"):
        await solvent()
    assert await insolvent()
    assert not await insolvent()
    with pytest.raises(RefusedError, match=f"insolvent since {since}"):
        await insolvent(4 * DAY)
    found = await held(owing, 1000)
    assert found
    assert "administrator" in found.why
    with pytest.raises(RefusedError, match="customer solvent D-1"):
        await lift(owing)
    (task,) = await owing.rows("select kind, due, assignee, status, description from task")
    assert task[:4] == ("insolvency_claim", since + 14 * DAY, "anna", "open")
    assert "par. 174 InsO" in task[4]
    assert await solvent()
    assert not await solvent()
    assert await held(owing) is None
    assert await owing.rows("select status, outcome from task") == [("done", "solvent again")]
    for days in (-1 * DAY, 4000 * DAY):
        with pytest.raises(RefusedError, match="must lie between"):
            await insolvent(days)


async def test_two_people_at_once(owing: Debtor) -> None:
    """One dispute, one block; the second of the same words is known."""
    opened = await asyncio.gather(*(dispute(owing, "ALT-1") for _ in range(3)))
    assert sorted(opened) == [False, False, True]
    blocked = await asyncio.gather(*(block(owing) for _ in range(3)))
    assert sorted(blocked) == [False, False, True]
    with pytest.raises(DBAPIError, match="dunning_block_once"):
        await _block_past_the_check(owing)


async def _block_past_the_check(who: Debtor) -> None:
    async with who.database.transaction() as session:
        subject = await blocks.of_customer(session, "D-1")
        await blocks.put(
            session, subject, "block", since=TODAY, until=None, reason="x", at=AT, by="x"
        )
