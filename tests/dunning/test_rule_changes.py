"""What comes next follows from the rules: a change of one is told to every open dunning case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from domain.company import Company
from domain.dunning.rule_file import read_rule
from models.store import outbox
from models.store.database import Database
from models.store.dunning import opening, rules
from models.store.dunning.telling import A_SECOND, tell_all
from tests.domain.dunning.rules import O1

from .debtors import AT, TODAY, Debtor, debtor

WHO = {"at": AT, "by": "admin"}


async def open_cases(who: Debtor, others: int) -> None:
    """Open the debtor's dunning case, and those of others beside it."""
    async with who.database.transaction() as session:
        await opening.open_cases(session, [who.id], AT)
        await session.execute(
            text("""
insert into case_file select (jsonb_populate_record(f,
  jsonb_build_object('id', 'dunning-other-' || n, 'customer_id', null))).*
from case_file f, generate_series(1, :others) n where f.kind = 'dunning'
"""),
            {"others": others},
        )


async def told(who: Debtor) -> list[int]:
    """Return after how many tenths of a second each case is told to look again."""
    rows = await who.rows("select due_at from outbox where signal = 'look_again' order by id")
    return [round((due_at - AT) / timedelta(seconds=0.1)) for (due_at,) in rows]


async def test_every_change_is_told_once(database: Database, company: Company) -> None:
    """Added, paused, resumed, moved, changed, removed; nothing where nothing has changed."""
    who = await debtor(database, company, [("ALT-1", "2026-02-01", "100.00")])
    await open_cases(who, others=0)
    rule = read_rule(O1)
    counts = []
    async with database.transaction() as session:
        for change in (
            rules.add(session, rule, start=TODAY, paused=True, **WHO),
            rules.set_paused(session, rule.name, paused=False, **WHO),
            rules.set_paused(session, rule.name, paused=False, **WHO),
            rules.edit(session, read_rule({**O1, "hour": 5}), start=TODAY, **WHO),
            rules.put_in_order(session, [rule.name], **WHO),
            rules.remove(session, rule.name, **WHO),
            rules.add(session, rule, start=TODAY, **WHO),
        ):
            await change
            found = await session.execute(text("select count(*) from outbox"))
            counts.append(found.scalar_one())
    first = counts[0]
    assert [count - first for count in counts] == [0, 1, 1, 2, 2, 3, 4]


async def test_many_are_told_one_after_the_other(database: Database, company: Company) -> None:
    """So that a payment is heard in between; who will look later anyway is not told twice."""
    who = await debtor(database, company, [("ALT-1", "2026-02-01", "100.00")])
    await open_cases(who, others=99)
    async with database.transaction() as session:
        await tell_all(session, AT)
    assert await told(who) == [n * 10 // A_SECOND for n in range(100)]
    async with database.transaction() as session:
        await tell_all(session, AT + timedelta(seconds=1))
    # Those that are due within six seconds may be under way already: they are told again.
    assert len(await told(who)) == 100 + 6 * A_SECOND + 1


async def test_a_payment_overtakes_them(database: Database, company: Company) -> None:
    """After an outage, all of them are due; and whose case is closed by then is not woken."""
    who = await debtor(database, company, [("ALT-1", "2026-02-01", "100.00")])
    await open_cases(who, others=99)
    async with database.transaction() as session:
        await tell_all(session, AT)
        await session.execute(
            text("update case_file set closed_at = now() where id like '%other%'")
        )
    await who.pays("ALT-1", "10.00", "bank-1")
    later = datetime.now(UTC) + timedelta(hours=1)
    async with database.transaction() as session:
        first = await outbox.lease(session, later, 5, timedelta(seconds=30))
        rest = await outbox.lease(session, later, 500, timedelta(seconds=30))
    urgent = [row for row in (*first, *rest) if row.payload.get("outbox_id") != "rules"]
    assert urgent
    assert all(row in first for row in urgent)
    waiting = [row for row in (*first, *rest) if row not in urgent]
    assert [row.too_late for row in waiting] == ["other" in row.case_id for row in waiting]
    assert not any(row.too_late for row in urgent)
