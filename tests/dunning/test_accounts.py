"""What is loaded is what was stored, and a forecast is what the selection of that day will say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.dossier import Period
from domain.dunning.forecast import forecast
from domain.dunning.prospect import Forecast, RuleInForce
from domain.dunning.rule_file import read_rule
from models.store.dunning import accounts, rules, selection
from tests.domain.dunning.rules import O1, O2, O3, condition

from .conftest import Town
from .population import AT, TODAY, ago
from .test_selection import undone

BERLIN = ZoneInfo("Europe/Berlin")


async def numbers(session: AsyncSession) -> dict[int, str]:
    """Customer numbers by id."""
    return dict((await session.execute(text("select id, customer_no from customer"))).all())  # type: ignore[arg-type]


async def test_what_is_loaded_is_what_was_stored(town: Town) -> None:
    """Account and circumstances of everybody who owes something, each value."""
    async with undone(town) as session:
        found = await accounts.dossiers(session, TODAY)
        known = await numbers(session)
    by_number = {known[key]: dossier for key, dossier in found.items()}
    assert set(by_number) == {p.number for p in town.people if p.account.items}
    for person in town.people:
        if not person.account.items:
            continue
        dates = tuple(sorted(person.account.agreed_dates))
        dossier = by_number[person.number]
        assert dossier.account_on(TODAY) == replace(person.account, agreed_dates=dates)
        assert dossier.circumstances_on(TODAY, town.rule_id) == replace(
            person.circumstances, agreed_dates=dates
        )
        assert Period(ago(-500)) in dossier.blocks
        assert Period(ago(5), ago(1)) not in dossier.blocks


async def test_some_are_loaded_by_their_ids(town: Town) -> None:
    """The same as among all; who owes nothing is not there."""
    async with undone(town) as session:
        everybody = await accounts.dossiers(session, TODAY)
        some = await accounts.dossiers(session, TODAY, range(1, 21))
    assert some == {key: dossier for key, dossier in everybody.items() if key <= 20}
    assert 0 < len(some) < 20


RULES: list[dict[str, Any]] = [
    {**O1, "filters": [*O1["filters"], condition("credit_limit_exceeded", "=", value=False)]},
    O2,
    {**O3, "filters": [condition("oldest_overdue_days", ">", 10), condition("calls_count", "<", 2)]},
]  # fmt: skip


@pytest.mark.parametrize("document", RULES, ids=["notice", "next notice", "call"])
async def test_a_forecast_is_what_the_selection_will_say(
    town: Town, document: dict[str, Any]
) -> None:
    """Day by day for two weeks, for everybody: the first day on which the database takes them."""
    rule = read_rule({**document, "interval": "daily", "weekday": None, "hour": 23})
    one = RuleInForce(town.rule_id, rule, TODAY, 1)
    last, first = TODAY + timedelta(14), dict[str, date]()
    async with undone(town) as session:
        await selection.end_settled(session, today=TODAY, at=AT)
        known = await numbers(session)
        found = await accounts.dossiers(session, TODAY)
        day = TODAY
        while day <= last:
            rows = await selection.preview(
                session, rule, rule_id=town.rule_id, today=day, currency="EUR"
            )
            for row in rows:
                if row["hold"] is None:
                    first.setdefault(row["customer_no"], day)
            day += timedelta(1)
    foreseen = {
        known[key]: step.day
        for key, dossier in found.items()
        if isinstance(
            step := forecast(
                dossier, [one], zone=BERLIN, now=AT, currency="EUR", horizon=last - TODAY
            ),
            Forecast,
        )
    }
    assert foreseen == first
    assert len({*first.values()}) > 1


async def test_a_taken_day_is_known(town: Town) -> None:
    """Whom a run took today, no rule of the same lane takes today."""
    async with undone(town) as session:
        everybody = {"filters": [condition("oldest_overdue_days", ">", 0)], "start_date": None}
        await rules.add(
            session, read_rule({**O1, **everybody, "name": "x"}), start=TODAY, at=AT, by="admin"
        )
        stored = await rules.get(session, "x")
        request = selection.RunRequest(key="r", slot=None, day=TODAY, at=AT)
        done = await selection.run(session, stored, request, currency="EUR")
        taken = await selection.page(session, done.run_id)
        found = await accounts.dossiers(session, TODAY)
    assert taken
    for row in taken:
        assert found[row["customer_id"]].claims[TODAY] == frozenset({"step"})


async def test_paused_rules_are_not_in_force(town: Town) -> None:
    """Only what runs by itself is foreseen."""
    async with undone(town) as session:
        await rules.add(
            session, read_rule({**O2, "name": "x"}), start=TODAY, at=AT, by="admin", paused=True
        )
        active = {one.rule.name for one in await accounts.in_force(session)}
        assert O1["name"] in active
        assert "x" not in active
        await rules.set_paused(session, "x", paused=False, at=AT, by="admin")
        (one,) = [r for r in await accounts.in_force(session) if r.rule.name == "x"]
        assert one.start == TODAY
