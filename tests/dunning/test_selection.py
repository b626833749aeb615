"""The selection in the database does what the reference in Python says, and claims once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.actions import Action, lane
from domain.dunning.facts import derive
from domain.dunning.filters import FIELDS, Filter, Kind
from domain.dunning.holds import Hold, hold
from domain.dunning.matching import matches
from domain.dunning.rule import Rule
from domain.dunning.rule_file import read_rule
from models.store.dunning import rules, selection
from models.store.dunning.rules import StoredRule
from models.store.dunning.selection import RunRequest
from tests.domain.dunning.rules import O1, O2, O3, condition

from .conftest import Town
from .population import AT, DAYS, TODAY, Person

WHOLE = st.sampled_from([0, 1, 2, 3, 99, 100, 299, 300, 301, 4000, 4001, *DAYS[2:]])
VALUES = {
    Kind.YES_NO: st.booleans(),
    Kind.WHOLE: WHOLE,
    Kind.CONTACT: st.sampled_from(["phone", "post", "email", "any"]),
    Kind.TEXT: st.sampled_from(["A", "a", "aB", "B", "%", "_", "50%", "'; drop table x; --", ":x"]),
}


def _filters(field: str) -> st.SearchStrategy[Filter]:
    spec = FIELDS[field]
    return st.builds(Filter, st.just(field), st.sampled_from(spec.operators), VALUES[spec.kind])


FILTERS = st.sampled_from(sorted(FIELDS)).flatmap(_filters)
RULES = st.builds(
    lambda action, filters: replace(
        read_rule({**O1, "template": None}), action=action, filters=tuple(filters)
    ),
    st.sampled_from(Action),
    st.lists(FILTERS, min_size=1, max_size=3),
)


@asynccontextmanager
async def undone(town: Town) -> AsyncIterator[AsyncSession]:
    """A transaction that leaves nothing behind."""
    with suppress(_Over):
        async with town.database.transaction() as session:
            yield session
            raise _Over


class _Over(Exception):  # noqa: N818 - it is no error
    """The transaction is over, and rolled back."""


def expected(
    rule: Rule, folk: list[Person], rule_id: int
) -> tuple[dict[str, dict[str, Any]], dict[str, Hold]]:
    """What the reference says: whom the rule takes with which values, and who is held back."""
    taken, held = {}, {}
    for person in folk:
        verdict = matches(rule, derive(person.account, today=TODAY, currency="EUR"))
        if not verdict.matched:
            continue
        reason = hold(rule.action, lane(rule.action, rule_id), person.circumstances, TODAY)
        if reason:
            held[person.number] = reason
        else:
            taken[person.number] = dict(verdict.values)
    return taken, held


def unrejected(folk: list[Person]) -> list[Person]:
    """The same people for another rule than the one whose proposals they rejected."""
    return [
        replace(person, circumstances=replace(person.circumstances, rejected_until=None))
        for person in folk
    ]


def read(values: dict[str, Any]) -> dict[str, Any]:
    """The stored values as the reference has them: a sum is text, so that it stays exact."""
    return {k: Decimal(v) if k == "debt" else v for k, v in values.items()}


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(rule=RULES)
async def test_the_database_selects_what_the_reference_says(town: Town, rule: Rule) -> None:
    """Any rule over all people: who, with which values, and who is held back for which reason."""
    async with undone(town) as session:
        rows = await selection.preview(
            session, rule, rule_id=town.rule_id, today=TODAY, currency="EUR"
        )
    taken, held = expected(rule, town.people, town.rule_id)
    assert {r["customer_no"]: read(r["matched"]) for r in rows if not r["hold"]} == taken
    assert {r["customer_no"]: r["hold"] for r in rows if r["hold"]} == held


async def test_every_field_takes_somebody_and_leaves_somebody(town: Town) -> None:
    """The people are of every kind: no field is compared in vain."""
    facts = [derive(p.account, today=TODAY, currency="EUR") for p in town.people]
    for field in FIELDS:
        assert len({facts_.value(field) for facts_ in facts}) > 1, field
    reasons: set[Hold] = set()
    anyone = condition("notices_count", ">=", 0)
    for action in Action:
        rule = replace(read_rule({**O1, "filters": [anyone]}), action=action)
        reasons |= set(expected(rule, town.people, town.rule_id)[1].values())
    assert reasons == set(Hold) - {Hold.TAKEN}


async def add(session: AsyncSession, document: dict[str, Any], **more: Any) -> StoredRule:
    """Store a rule."""
    await rules.add(session, read_rule({**document, **more}), start=TODAY, at=AT, by="admin")
    return await rules.get(session, {**document, **more}["name"])


def now(key: str, **more: Any) -> RunRequest:
    """A run that somebody asks for."""
    return RunRequest(key=key, day=TODAY, at=AT, **{"slot": None, **more})


async def run(
    session: AsyncSession, rule: StoredRule, request: RunRequest
) -> tuple[int, int, bool]:
    """Run a rule; return matched, taken, and whether it was done before."""
    done = await selection.run(session, rule, request, currency="EUR")
    return done.matched, done.taken, done.repeated


async def test_a_run_claims_and_keeps_why(town: Town) -> None:
    """One claim each, by customer number, with the values; the report says who was left and why."""
    async with undone(town) as session:
        rule = await add(session, O1, name="first")
        taken, held = expected(rule.rule, unrejected(town.people), rule.id)
        done = await selection.run(session, rule, now("r1"), currency="EUR")
        rows, after = [], 0
        while page := await selection.page(session, done.run_id, after=after, size=7):
            rows += page
            after = page[-1]["id"]
        assert [row["customer_no"] for row in rows] == sorted(taken)
        assert {row["customer_no"]: read(row["matched"]) for row in rows} == taken
        left = await selection.skipped(session, done.run_id)
        assert len(left) == done.matched - done.taken
        assert {row["customer_no"]: row["reason"] for row in left} == held
        assert taken
        assert held


async def test_one_step_a_day_over_all_rules(town: Town) -> None:
    """X6, X10: a second run, run now, and a lower rule find the day taken; tomorrow is free."""
    everybody = [condition("oldest_overdue_days", ">", 0)]
    async with undone(town) as session:
        high = await add(session, O1, name="high", filters=everybody)
        low = await add(
            session, O1, name="low", filters=everybody, action="lawyer_task", template=None
        )
        call = await add(session, O3, name="call", filters=everybody)
        matched, taken, _ = await run(session, high, now("r1", slot=datetime(2026, 3, 30, 9)))  # noqa: DTZ001
        assert 0 < taken < matched
        assert (await run(session, high, now("r2")))[:2] == (matched, 0)
        assert (await run(session, low, now("r3")))[1] <= matched - taken
        reasons = {
            r["reason"] for r in await selection.skipped(session, await _run_id(session, "r2"))
        }
        assert Hold.TAKEN in reasons
        calls = (await run(session, call, now("r4")))[1]
        assert calls > 0  # a task takes no step of the day (X15)
        assert (await run(session, call, now("r5")))[1] == 0
        tomorrow = replace(now("r6"), day=TODAY + timedelta(days=1))
        assert (await run(session, high, tomorrow))[1] >= taken


async def _run_id(session: AsyncSession, key: str) -> int:
    found = await session.execute(text("select id from dunning_run where key = :key"), {"key": key})
    return int(found.scalar_one())


async def test_a_run_is_done_once_per_key_and_slot(town: Town) -> None:
    """A retry, or a second schedule that fires in the same slot, gets what was done."""
    slot = datetime(2026, 3, 30, 9)  # noqa: DTZ001 - slots are local
    async with undone(town) as session:
        rule = await add(session, O1, name="first")
        first = await run(session, rule, now("r1", slot=slot))
        assert await run(session, rule, now("r1", slot=slot)) == (*first[:2], True)
        assert await run(session, rule, now("other", slot=slot)) == (*first[:2], True)
        assert await run(session, rule, now("later", slot=slot + timedelta(days=1))) == (
            *(first[0], 0, False),
        )


async def test_two_runs_at_once_take_nobody_twice(town: Town) -> None:
    """Whoever comes second waits, then finds the day taken; nobody is lost either."""
    async with town.database.transaction() as session:
        names = ("at-once-1", "at-once-2")
        pair = [await add(session, O1, name=name) for name in names]
    day = TODAY + timedelta(days=300)  # nobody else's day

    async def one(rule: StoredRule) -> int:
        async with town.database.transaction() as session:
            request = replace(now(f"run-{rule.id}"), day=day)
            return (await selection.run(session, rule, request, currency="EUR")).taken

    counts = await asyncio.gather(*map(one, pair))
    async with undone(town) as session:
        query = text(
            "select count(*), count(distinct customer_id) from dunning_claim where day = :d"
        )
        claims, customers = (await session.execute(query, {"d": day})).one()
        assert sum(counts) == claims == customers > 0
        assert 0 in counts


async def test_claims_and_versions_are_history(town: Town) -> None:
    """The database refuses to change them; an ended case stays ended."""
    for statement in (
        "update dunning_claim set lane = 'x'",
        "delete from dunning_rule_version",
        "update dunning_case set level = 9 where ended_at is not null",
        "update dunning_notice set status = 'proposed' where status = 'sent'",
        "update dunning_notice set amount = 6 where status = 'sent'",
    ):
        async with undone(town) as session:
            rule = await add(session, O1, name="first")
            await run(session, rule, now("r1"))
            with pytest.raises(DBAPIError, match=r"append-only|has ended|cannot become|stays what"):
                await session.execute(text(statement))


async def test_a_case_ends_when_nothing_is_overdue(town: Town) -> None:
    """X11: also of what is not due yet; a dispute does not end it."""
    async with undone(town) as session:
        ended = set(await selection.end_settled(session, today=TODAY, at=AT))
        query = text("select customer_no, id from customer")
        ids = dict((await session.execute(query)).all())  # type: ignore[arg-type]
        wanted = {
            ids[p.number]
            for p in town.people
            if p.account.ladder.level + p.account.ladder.calls
            and not any(i.due_date and i.due_date < TODAY for i in p.account.items)
        }
        assert ended == wanted
        assert ended
        assert await selection.end_settled(session, today=TODAY, at=AT) == []


async def test_the_examples_in_the_database(town: Town) -> None:
    """O1 to O3 take exactly whom the reference takes, and each takes somebody."""
    async with undone(town) as session:
        for document in (O1, O2, O3):
            rule = read_rule(document)
            rows = await selection.preview(session, rule, rule_id=0, today=TODAY, currency="EUR")
            taken, _ = expected(rule, unrejected(town.people), 0)
            assert {row["customer_no"] for row in rows if not row["hold"]} == set(taken)
