"""A CRM learns of each change of its deal: limits, outages, crashes, two at once, refusals."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text

from activities.deals import CrmSilentError
from connectors.crm.port import CrmRefusedError
from connectors.crm.settings import read_settings
from domain.errors import TryLaterError
from domain.order_case import Step
from models.messages import Progress, StepRequest
from models.store import channels, deals
from tests.activities.driver import Driver
from tests.crm_server import Crm

DEAL = "9605180927"
FIELD = "zahltag_invoice_status"


@pytest_asyncio.fixture
async def connected(driver: Driver, crm: Crm) -> Crm:
    """The driver's channel is a connection to the CRM of the test."""
    await driver.connect_crm()
    return crm


async def sql(driver: Driver, statement: str) -> list[Any]:
    """Run one statement; return the first column of what it gives."""
    async with driver.services.database.engine.begin() as connection:
        found = await connection.execute(text(statement))
        return list(found.scalars()) if found.returns_rows else []


async def pause_is_over(driver: Driver) -> None:
    """Let the time of every pause pass."""
    await sql(driver, "update deal_update set retry_at = now() where state = 'postponed'")


async def cancelled(driver: Driver, crm: Crm, numbers: list[str]) -> list[StepRequest]:
    """Take deals in and cancel them: the CRM is to learn of each; no invoice was made."""
    cases = []
    for number in numbers:
        deal = crm.load("crm-missing-fields", id=number)["deal"]
        cases.append(await driver.submit("crm-missing-fields", deal=deal))
    await sql(driver, "update case_file set closed_at = now(), closed_as = 'cancelled'")
    return [driver.request(case_id, await driver.look(case_id)) for case_id in cases]


async def told(driver: Driver, crm: Crm) -> StepRequest:
    """Bring the good deal to where the CRM is to learn of its invoice."""
    crm.load("crm-ok")
    case_id = await driver.submit("crm-ok")
    return driver.request(case_id, await driver.until(case_id, Step.UPDATE_DEAL))


async def test_a_burst_of_updates_against_a_limit_loses_none(
    driver: Driver, connected: Crm
) -> None:
    """Thirty updates, ten a second: twenty are postponed, then ten, then none; all are told."""
    numbers = [str(7000 + n) for n in range(30)]
    requests = await cancelled(driver, connected, numbers)
    seconds: list[int] = []
    connected.limit, connected.clock = 10, lambda: float(len(seconds))
    gate, left = asyncio.Semaphore(5), []

    async def run(request: StepRequest) -> None:
        async with gate:  # as many as a worker has connections for
            await driver.activity(Step.UPDATE_DEAL)(request)

    while requests:
        seconds.append(1)
        left.append(len(requests))
        await asyncio.gather(*(run(request) for request in requests))
        waiting = await sql(driver, "select case_id from deal_update where state = 'postponed'")
        requests = [request for request in requests if request.case_id in waiting]
        await pause_is_over(driver)

    assert left == [30, 20, 10]
    assert sorted(deal for deal, _ in connected.updates) == numbers
    woken = await sql(driver, "select signal from outbox where signal = 'look_again'")
    assert len(woken) == 20 + 10


async def test_the_case_goes_on_while_the_crm_is_away(driver: Driver, connected: Crm) -> None:
    """Postponed with growing pauses, and told in the end; the plan meanwhile is the ordinary one."""
    request = await told(driver, connected)
    connected.faults.extend([(500, {}, {})] * 2)
    pauses = "select extract(epoch from due_at - created_at)::float from outbox where signal = 'look_again' order by id"

    first = await driver.activity(Step.UPDATE_DEAL)(request)
    assert first.plan.step is Step.CREATE_TASK
    await pause_is_over(driver)
    await driver.activity(Step.UPDATE_DEAL)(request)
    assert await sql(driver, pauses) == [2.5, 4.5]
    await pause_is_over(driver)
    await driver.activity(Step.UPDATE_DEAL)(request)

    assert [one[FIELD] for one in connected.said(DEAL)] == ["invoiced"]
    assert (await driver.look(request.case_id)).plan.step is not Step.UPDATE_DEAL


async def test_a_crm_that_is_silent_for_a_day_is_left_to_a_person(
    driver: Driver, connected: Crm
) -> None:
    """Then it is repeated when somebody says so, with a day of its own."""
    request = await told(driver, connected)
    connected.faults.extend([(500, {}, {})] * 3)
    await driver.activity(Step.UPDATE_DEAL)(request)
    await pause_is_over(driver)
    await sql(driver, "update deal_update set intended_at = now() - interval '25 hours'")
    with pytest.raises(CrmSilentError, match="tried for a day"):
        await driver.activity(Step.UPDATE_DEAL)(request)
    assert await sql(driver, "select state from deal_update") == ["failed"]

    await driver.activity(Step.UPDATE_DEAL)(request)
    assert await sql(driver, "select state from deal_update") == ["postponed"]


async def test_a_field_that_the_crm_does_not_have_is_refused(
    driver: Driver, connected: Crm
) -> None:
    """No retry mends it; once the field is there, the repeated step succeeds."""
    request = await told(driver, connected)
    odd = {"vendor": "hubspot", "api_url": connected.url, "writes": {"status": "no_such"}}
    right = read_settings({"vendor": "hubspot", "api_url": connected.url}).dump()
    for settings, refused in ((read_settings(odd).dump(), True), (right, False)):
        async with driver.services.database.transaction() as session:
            (await channels.get(session, "zahltag")).settings = settings
        if refused:
            with pytest.raises(CrmRefusedError, match="no_such"):
                await driver.activity(Step.UPDATE_DEAL)(request)
        else:
            await driver.activity(Step.UPDATE_DEAL)(request)

    assert [one[FIELD] for one in connected.said(DEAL)] == ["invoiced"]


async def test_a_crash_after_the_call_repeats_it_harmlessly(driver: Driver, connected: Crm) -> None:
    """The CRM knew, we did not: said again with the same values, it changes nothing there."""
    request = await told(driver, connected)
    await driver.activity(Step.UPDATE_DEAL)(request)
    await sql(driver, "update deal_update set state = 'intended', done_at = null")

    await driver.activity(Step.UPDATE_DEAL)(request)

    first, second = connected.said(DEAL)
    assert first == second
    assert await sql(driver, "select state from deal_update") == ["done"]


async def test_two_attempts_at_once_never_overtake_each_other(
    driver: Driver, connected: Crm
) -> None:
    """The second is told to come later, or finds that everything is said."""
    request = await told(driver, connected)
    connected.faults.append(0.2)
    run = driver.activity(Step.UPDATE_DEAL)

    answers = await asyncio.gather(*(run(request) for _ in range(3)), return_exceptions=True)

    assert any(isinstance(answer, Progress) for answer in answers)
    others = [answer for answer in answers if not isinstance(answer, Progress)]
    assert all(isinstance(answer, TryLaterError) for answer in others)
    assert len(connected.updates) == 1


async def test_what_is_out_of_date_is_never_said(driver: Driver, connected: Crm) -> None:
    """Postponed as invoiced, then paid: the CRM hears "paid", and the old row is superseded."""
    request = await told(driver, connected)
    connected.faults.append((503, {"retry-after": "60"}, {}))
    await driver.activity(Step.UPDATE_DEAL)(request)
    await driver.until(request.case_id, Step.WAIT)
    await driver.pay(request.case_id, "2796.50")
    await pause_is_over(driver)
    again = await driver.activity(Step.UPDATE_DEAL)(request)
    assert again.plan.step is Step.RECONCILE_PAYMENT  # it has moved on: nothing was said
    await driver.until(request.case_id, Step.END)

    assert [one[FIELD] for one in connected.said(DEAL)] == ["paid"]
    states = await sql(driver, "select state from deal_update order by id")
    assert states == ["superseded", "done"]


async def test_a_pause_that_nobody_ended_is_found_by_the_sweeper(
    driver: Driver, connected: Crm
) -> None:
    """Once for each pause, as long as it has not been told."""
    request = await told(driver, connected)
    connected.faults.append((503, {"retry-after": "60"}, {}))
    await driver.activity(Step.UPDATE_DEAL)(request)
    late = driver.at + timedelta(days=1)

    async def sweep() -> int:
        async with driver.services.database.transaction() as session:
            return await deals.wake_forgotten(session, late)

    assert await sweep() == 0  # its row of the outbox still waits
    await sql(driver, "delete from outbox where signal = 'look_again'")
    assert await sweep() == 0  # the pause is not over
    await sql(driver, "update deal_update set retry_at = now() - interval '2 minutes'")
    assert [await sweep(), await sweep()] == [1, 0]


async def test_a_channel_without_fields_to_write_tells_nothing(
    driver: Driver, connected: Crm
) -> None:
    """No field, or no token: there is no such step at all."""
    settings = {"vendor": "hubspot", "api_url": connected.url, "writes": {}}
    async with driver.services.database.transaction() as session:
        (await channels.get(session, "zahltag")).settings = read_settings(settings).dump()
    connected.load("crm-ok")
    case_id = await driver.submit("crm-ok")
    await driver.until(case_id, Step.WAIT)

    assert connected.asked == []
