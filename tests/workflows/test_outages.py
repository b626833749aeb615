"""Mail server and Temporal away for long: time passes in the workflows' own clocks."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import text
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RetryConfig, RPCError

from domain.order_case import Step
from models.settings import Settings
from starter import commands
from starter.api.app import make_app
from starter.stack.checks import check_temporal
from tests.faults.proxy import Proxy
from tests.workflows.house import SAMPLES, House, eventually, now
from workflows.policies import MAIL, POLICIES, EffectPolicy


async def test_the_mail_server_refuses_for_an_hour(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing counts as sent, every try says why; then the mail goes out once.

    An hour is 13 tries; four are seen here, as Temporal makes one a second at most.
    """
    shorten(monkeypatch, 3600)
    house.post.leave()
    case_id = await house.submit("zahltag-paid")

    failure = await tried(house, case_id, times=4)
    assert "mail server" in failure
    assert "cannot be used" in failure
    assert (await house.case(case_id)).next_step == "mail the invoice"
    house.post.heal()

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice"]


async def test_after_a_day_a_person_is_asked(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception says what the mail server said; after `case retry` the mail goes out once."""
    shorten(monkeypatch, 50_000)
    house.post.leave()
    case_id = await house.submit("zahltag-paid")

    case = await house.reaches(case_id, "needs_retry")
    (problem,) = await house.problems(case_id)
    assert "mail server" in problem.found, problem.found
    assert "zahltag case retry" in problem.expected
    assert "send_email" in case.why, case.why
    house.post.heal()
    await house.decide(case_id, "retry")

    assert await house.ends(case_id) == "closed"
    assert await house.mails(case_id) == ["invoice"]


async def test_temporal_is_away_for_ten_minutes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes in is stored and answered; later everything is delivered, each thing once."""
    assert commands.PATIENCE + commands.LOOK < 10
    monkeypatch.setattr(commands, "PATIENCE", 1.0)
    async with outage(house) as (proxy, client, settings), api(house, client, settings) as http:
        proxy.leave()
        taken = [await http.post("/api/orders", **order(n, house.channel)) for n in (1, 2, 3)]
        assert {answer.status_code for answer in taken} == {200}
        tries = await ten_minutes(house)
        assert 6 <= tries <= 10

        began, case_id = time.monotonic(), taken[0].json()["case_id"]
        said = await http.post(f"/api/cases/{case_id}/cancel", json={"reason": "wrong"})
        assert time.monotonic() - began < 10
        assert said.status_code == 200
        assert "Temporal is away" in said.json()["message"]
        (found, *_) = await check_temporal(settings)
        assert not found.ok
        assert "zahltag up" in found.remedy

        proxy.heal()
        house.dispatcher.clock = lambda: now() + timedelta(hours=1)
        house.wake.set()
        assert await house.ends(case_id) == "cancelled"
        for answer in taken[1:]:
            await house.reaches(answer.json()["case_id"], "awaiting_payment")
            assert await house.mails(answer.json()["case_id"]) == ["invoice"]
        assert await waiting(house) == []


@contextlib.asynccontextmanager
async def outage(house: House) -> AsyncIterator[tuple[Proxy, Client, Settings]]:
    """Put a proxy in Temporal's way to the house's dispatcher; it gives up a try at once.

    A real client goes on for ten seconds within each try, as the one of `make chaos` does.
    """
    host, _, server = house.client.service_client.config.target_host.partition(":")
    proxy = Proxy(lambda: (host, int(server)))
    async with proxy.listening() as port:
        client = await Client.connect(
            f"127.0.0.1:{port}",
            data_converter=pydantic_data_converter,
            retry_config=RetryConfig(max_elapsed_time_millis=50, max_retries=1),
        )
        house.dispatcher.client = client
        own = house.settings.model_copy(update={"temporal_address": f"127.0.0.1:{port}"})
        yield proxy, client, own
        house.dispatcher.client = house.client


@contextlib.asynccontextmanager
async def api(house: House, client: Client, own: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The API in front of the house, with that way to Temporal."""

    async def known() -> Client:
        return client

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(make_app(own, house.database, known)),
        base_url="http://test",
        headers={"Authorization": f"Bearer {own.api_token.get_secret_value()}"},
    ) as http:
        yield http


async def ten_minutes(house: House) -> int:
    """Let the dispatcher's clock jump from one due try to the next; return how many there were."""
    began = at = now()
    tries = 0
    house.dispatcher.clock = lambda: at
    while at - began < timedelta(minutes=10):
        at = max(at, (await waiting(house))[-1])
        house.wake.set()
        await eventually(partial(_postponed, house, at))
        tries += 1
    return tries


async def _postponed(house: House, at: datetime) -> bool | None:
    """Whether each message was tried at that time and has its pause: 2, 4, 8 ... 300 seconds."""
    query = text("""
        select count(*) from outbox where delivered_at is null
        and due_at <> cast(:at as timestamptz) + least(power(2, attempts), 300) * interval '1 second'""")
    async with house.database.engine.connect() as connection:
        return True if await connection.scalar(query, {"at": at}) == 0 else None


async def waiting(house: House) -> list[datetime]:
    """Return when each message that was not delivered is due, the soonest first."""
    async with house.database.engine.connect() as connection:
        query = "select due_at from outbox where delivered_at is null order by due_at"
        return list((await connection.execute(text(query))).scalars())


def order(number: int, channel: str) -> dict[str, Any]:
    """Return the request that submits an order of its own."""
    document = json.loads((SAMPLES / "zahltag-ok.json").read_text())
    document |= {"order_no": f"ZT-A{number}", "placed_at": f"2026-11-1{number}T08:00:00+01:00"}
    return {"params": {"source": "zahltag", "channel": channel}, "content": json.dumps(document)}


def shorten(monkeypatch: pytest.MonkeyPatch, factor: int) -> None:
    """Shrink every pause and deadline of mails alike: as many tries, in less time.

    Not shown so: what a real hour does to idle connections. They are not kept over a failed try.
    """
    retry = replace(
        MAIL.retry,
        initial_interval=MAIL.retry.initial_interval / factor,
        maximum_interval=(MAIL.retry.maximum_interval or timedelta()) / factor,
    )
    assert MAIL.give_up_after
    short = replace(MAIL, retry=retry, give_up_after=MAIL.give_up_after / factor)
    monkeypatch.setitem(cast("dict[str, EffectPolicy]", POLICIES), Step.SEND_EMAIL, short)


async def tried(house: House, case_id: str, times: int) -> str:
    """Wait until the step was tried so often in vain; return why."""

    async def failed() -> str | None:
        try:
            described = await house.workflow(case_id).describe()
        except RPCError:  # it is not started yet
            return None
        waiting = described.raw_description.pending_activities
        return waiting[0].last_failure.message if waiting and waiting[0].attempt > times else None

    return await eventually(failed, 60)
