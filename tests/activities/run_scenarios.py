"""For each kind of effect of a rule's run: how the run comes to where exactly that is next."""

from __future__ import annotations

from typing import Any

from domain.dunning.rule_file import read_rule
from models.dunning_tables import AccountManager
from models.messages import RunStart
from models.run_messages import (
    ManagerMailRequest,
    PageRequest,
    RunFailure,
    RunRequest,
    Selected,
    SelectRequest,
)
from models.store import customers
from models.store.dunning import debtors, rules
from tests.activities.driver import Driver, Occasion
from tests.activities.scenarios import scenario
from tests.domain.dunning.rules import condition
from tests.dunning.arrears import put_in_arrears

KEY = "dunning-run-1-now-x"
RULE: dict[str, Any] = {
    "name": "Owing",
    "interval": "weekly",
    "weekday": "friday",
    "hour": 12,
    "filters": [condition("debt", ">", 5)],
}


async def rule(driver: Driver, action: str) -> SelectRequest:
    """Return how a run begins that takes three customers, one of them with an account manager."""
    database = driver.services.database
    await put_in_arrears(database, ["R-1", "R-2", "R-3"], driver.at)
    async with database.transaction() as session:
        customer = await customers.get(session, "R-1")
        await debtors.put(session, customer.id or 0, {"manager": "Anna"}, driver.at)
        session.add(AccountManager(name="Anna", email="anna@sample.example", updated_at=driver.at))
        made = read_rule({**RULE, "action": action})
        await rules.add(session, made, start=driver.at.date(), at=driver.at, by="admin")
        stored = await rules.get(session, "Owing")
    start = RunStart(rule_id=stored.id, asked_by="admin")
    return SelectRequest(key=KEY, start=start, at=driver.at)


async def selected(driver: Driver, action: str) -> RunRequest:
    """Return a run that has selected its customers."""
    done = await driver.attempt(Occasion("select_customers", await rule(driver, action)))
    assert isinstance(done, Selected)
    assert done.taken == 3
    return RunRequest(run_id=done.run_id, key=KEY, at=driver.at)


@scenario("select_customers")
async def _(driver: Driver) -> Occasion:
    return Occasion("select_customers", await rule(driver, "email"))


@scenario("hand_over")
async def _(driver: Driver) -> Occasion:
    run = await selected(driver, "email")
    return Occasion("hand_over", PageRequest(run_id=run.run_id, after=0, at=driver.at))


@scenario("mark_customers")
async def _(driver: Driver) -> Occasion:
    return Occasion("mark_customers", await selected(driver, "mark_problematic"))


@scenario("group_managers")
async def _(driver: Driver) -> Occasion:
    return Occasion("group_managers", await selected(driver, "hand_to_account_manager"))


@scenario("tell_manager")
async def _(driver: Driver) -> Occasion:
    run = await selected(driver, "hand_to_account_manager")
    await driver.attempt(Occasion("group_managers", run))
    mail = ManagerMailRequest(key=KEY, run_id=run.run_id, number=0, at=driver.at)
    return Occasion("tell_manager", mail)


@scenario("finish_run")
async def _(driver: Driver) -> Occasion:
    return Occasion("finish_run", await selected(driver, "mark_problematic"))


@scenario("report_run_failure")
async def _(driver: Driver) -> Occasion:
    run = await rule(driver, "email")
    failure = RunFailure(
        rule_id=run.start.rule_id, name=KEY, reason="It was refused.", at=driver.at
    )
    return Occasion("report_run_failure", failure)
