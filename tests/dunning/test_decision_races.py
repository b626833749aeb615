"""Decisions of people against what comes in at the same instant, and doubts that nobody clears up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy.exc import DBAPIError

from connectors.mail import MailOutcomeUnknownError, SmtpMailer
from domain.dunning.case import Status, Step
from domain.errors import ConflictError, ForbiddenError
from models.store import approvals, customers
from models.store.decisions import Decision
from models.store.dunning import decisions
from models.store.dunning.telling import case_id_of, customer_no_of
from starter.stack import mailbox
from tests.domain.dunning.rules import O1
from tests.faults.proxy import Proxy, Verdict, content, first

from .driver import Driver
from .test_send_races import waits_for_a_lock

DUE = date(2026, 2, 20)
D0 = date(2026, 3, 3)
CASE = case_id_of("D-1")


async def proposed(driver: Driver) -> None:
    """Let a notice wait for its approval."""
    await driver.owes("119.00", DUE)
    await driver.rule(O1)
    await driver.until(D0, 16)


async def decide_as_the_api(driver: Driver, verb: str, going_on: asyncio.Event) -> None:
    """Decide by the approval's number; stop between its lock and the decision."""
    async with driver.services.database.transaction() as session:
        case_id = await approvals.case_of(session, 1)
        await customers.locked(session, customer_no_of(case_id))
        approval = await approvals.get(session, 1)
        await going_on.wait()
        decision = Decision(name=verb, by="anna", reason="", fields={})
        await decisions.decide(session, approval, decision, driver.at)


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_a_decision_while_the_notice_is_dropped(driver: Driver, verb: str) -> None:
    """The money is there, the case drops the notice, and a person decides: nobody is in a deadlock."""
    await proposed(driver)
    await driver.books("119.00", DUE)
    progress = await driver.reaches(CASE, Step.END_DUNNING)
    going_on = asyncio.Event()
    deciding = asyncio.create_task(decide_as_the_api(driver, verb, going_on))
    while not await driver.rows(_IN_TRANSACTION):  # noqa: ASYNC110 - it is seen by asking
        await asyncio.sleep(0.002)
    dropping = asyncio.create_task(driver.step(CASE, progress))
    while not dropping.done() and not await waits_for_a_lock(driver):  # noqa: ASYNC110 - same
        await asyncio.sleep(0.002)
    going_on.set()
    errors = await asyncio.gather(deciding, dropping, return_exceptions=True)
    assert not [error for error in errors if isinstance(error, DBAPIError | OSError)], errors
    assert await driver.rows("select status from dunning_notice") == [("dropped",)]
    await driver.hear()
    assert await driver.ladder() is None


_IN_TRANSACTION = """select pid from pg_stat_activity where datname = current_database()
                     and state = 'idle in transaction' and pid <> pg_backend_pid()"""


async def test_approve_twice_and_both_ways(driver: Driver) -> None:
    """The second approval changes nothing; the opposite is a conflict that names the first."""
    await proposed(driver)
    going_on = asyncio.Event()
    going_on.set()
    answers = await asyncio.gather(
        *(decide_as_the_api(driver, verb, going_on) for verb in ("approve", "approve", "reject")),
        return_exceptions=True,
    )
    conflicts = [answer for answer in answers if answer is not None]
    assert all(isinstance(conflict, ConflictError) for conflict in conflicts), answers
    ((status,),) = await driver.rows("select status from approval")
    assert len(conflicts) == (1 if status == "approved" else 2)
    await driver.look(CASE)
    assert await driver.ladder() == ((1, 1, 0) if status == "approved" else (0, 0, 0))


async def test_four_eyes_hold_against_an_operator(driver: Driver) -> None:
    """N3: a person's proposal cannot be approved in Temporal, where anybody may say any name."""
    await proposed(driver)
    await driver.rows("update approval set proposed_by = 'anna' returning id")
    with pytest.raises(ForbiddenError, match="zahltag approval approve 1"):
        await driver.decides_in_temporal("approve", by="olga")
    assert await driver.rows("select status from approval") == [("pending",)]


@asynccontextmanager
async def doubted(driver: Driver) -> AsyncIterator[list[str]]:
    """Let a notice go out, or not: a plain mail server takes it, breaks off and cannot be asked.

    Yields the Message-IDs of what it took.
    """
    taken: list[str] = []

    class Anywhere(mailbox.Handler):
        """Takes everything."""

        async def handle_DATA(  # noqa: N802 - aiosmtpd finds the hook by this name
            self, _server: SMTP, _session: Session, envelope: Envelope
        ) -> str:
            taken.append(mailbox.message_id_of(envelope.original_content or b""))
            return "250 2.0.0 OK"

    await driver.owes("119.00", DUE)
    await driver.rule({**O1, "approval_required": False})
    there = driver.services
    assert there.settings.mailbox_dir
    elsewhere = there.settings.mailbox_dir.with_name("elsewhere")
    async with (
        mailbox.serving("127.0.0.1", 0, elsewhere, Anywhere) as server,
        (proxy := Proxy(lambda: ("127.0.0.1", server))).listening() as port,
    ):
        proxy.judge = first(1, content, Verdict.CUT_AFTER)
        plain = there.settings.model_copy(update={"mailbox_dir": None, "smtp_port": port})
        mailer = SmtpMailer(plain, timeout=5)
        driver.services = replace(there, mailer=mailer, settings=plain)
        with pytest.raises(MailOutcomeUnknownError):
            await driver.until(D0, 16)
        progress = await driver.look(CASE)
        assert progress.plan.status is Status.ON_HOLD
        yield taken
        await mailer.aclose()
    driver.services = there


async def test_a_notice_in_doubt_is_never_sent_again(driver: Driver) -> None:
    """It is a person's task; meanwhile no rule takes the customer, however often it runs."""
    async with doubted(driver) as taken:
        await driver.until(D0 + timedelta(days=60))
        assert len(taken) == 1
    assert await driver.rows("select status from dunning_notice") == [("unknown",)]
    assert await driver.rows("select kind, status from task") == [("notice_unknown", "open")]
    assert await driver.ladder() == (0, 0, 0)


async def test_the_money_clears_a_doubt_up(driver: Driver) -> None:
    """Nothing is overdue any more; who is late again later is dunned from the bottom."""
    async with doubted(driver) as taken:
        await driver.pays("119.00", DUE)
        assert await driver.rows("select status from task") == [("done",)]
        assert len(taken) == 1
    await driver.owes("50.00", date(2026, 3, 4))
    await driver.until(D0 + timedelta(days=14), 16)
    assert await driver.ladder() == (1, 1, 0)
    assert (await driver.story())[-1] == "2026-03-17 16:00 payment_reminder 1 by email: 50.00"
