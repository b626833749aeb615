"""What comes in between while a notice goes out: money, another run, another dunning step.

The sending is stopped at every one of its awaits in turn, and money for its customer comes in
there. Committed before the point of no return it stops the notice or lowers it; committed after, it
crosses, and the history shows in which order.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import text

from connectors.letters import Letter, LetterService
from connectors.mail import Acceptance, Mailer, MailNotSentError, SmtpMailer
from connectors.mailbox import list_mails
from domain.dunning.case import Step
from models.store.dunning import rules
from models.store.dunning.telling import case_id_of
from tests.domain.dunning.rules import O1, O2, condition

from .driver import Driver

DUE = date(2026, 2, 20)
D0 = date(2026, 3, 3)
SENDING = "NoticeActivities._send"
WITHOUT_APPROVAL = {**O1, "approval_required": False}


class Stepped:
    """A coroutine that is stopped before it goes on from its nth await, for something else."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, Any], nth: int, between: Callable[[], Awaitable[None]]
    ) -> None:
        self.awaits = 0
        self._coroutine = coroutine
        self._nth = nth
        self._between = between

    async def run(self) -> Any:
        """Run it to its end."""
        return await self

    def __await__(self) -> Generator[Any, Any, Any]:
        """Pass on what it waits for."""
        answer, error = None, None
        while True:
            try:
                waited = self._coroutine.throw(error) if error else self._coroutine.send(answer)
            except StopIteration as done:
                return done.value
            answer, error = None, None
            self.awaits += 1
            try:
                answer = yield waited
            except BaseException as raised:  # noqa: BLE001 - it belongs to the coroutine
                error = raised
            if self.awaits == self._nth:
                yield from self._between().__await__()


@contextmanager
def stopped(nth: int, between: Callable[[], Awaitable[None]]) -> Iterator[list[Stepped]]:
    """Stop the sending at its nth await, wherever it is begun."""
    loop, made = asyncio.get_running_loop(), list[Stepped]()

    def factory(loop: Any, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        if getattr(coroutine, "__qualname__", "") == SENDING:
            made.append(Stepped(coroutine, nth, between))
            coroutine = made[-1].run()
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(factory)
    try:
        yield made
    finally:
        loop.set_task_factory(None)


async def waits_for_a_lock(driver: Driver) -> bool:
    """Whether somebody in the database waits for somebody else."""
    query = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    async with driver.services.database.engine.connect() as connection:
        return bool(await connection.scalar(text(f"{query} and datname = current_database()")))


async def paid_in_between(driver: Driver, number: str, amount: str, nth: int) -> tuple[bool, int]:
    """Send a notice and pay at its nth await; return whether that was before, and all awaits."""
    case_id = case_id_of(number)
    progress = await driver.reaches(case_id, Step.SEND_NOTICE)
    paying: list[asyncio.Task[None]] = []
    before = False

    async def pay() -> None:
        """Commit the payment, or find that the sending keeps it waiting."""
        nonlocal before
        paying.append(asyncio.create_task(driver.books(amount, DUE, number)))
        while not paying[0].done():
            if await waits_for_a_lock(driver):
                return
            await asyncio.sleep(0.002)
        state = await driver.rows(_STATE, number=number)
        before = state == [(None,)]  # nothing of it is rendered: the intent is not committed

    with stopped(nth, pay) as made:
        await driver.step(case_id, progress)
    assert len(made) == 1
    if paying:
        await paying[0]
    await driver.hear()
    return before, made[0].awaits


_STATE = """select rendered_amount from dunning_notice n join customer c on c.id = n.customer_id
            where c.customer_no = :number"""


@pytest.mark.parametrize("channel", ["email", "letter"])
async def test_a_payment_at_every_await_of_the_sending(driver: Driver, channel: str) -> None:
    """All of it or a part, in turn: stopped or lowered before the point of no return, never after."""
    numbers = [f"R-{n:03}" for n in range(200)]
    changes = {"email": ""} if channel == "letter" else {}
    await driver.rule(WITHOUT_APPROVAL)
    seen = Counter[str]()
    awaits, nth = 1, 0
    driver.at = driver.local(D0, 16)
    while nth < awaits:
        # Once it has crossed the point of no return, one await is as good as the next.
        nth += 1 if seen["crossed"] < 3 else 6
        number, whole = numbers[nth], nth % 2 == 0
        await driver.owes("119.00", DUE, number, **changes)
        await claimed(driver, number)
        before, awaits = await paid_in_between(driver, number, "119.00" if whole else "19.00", nth)
        if nth > awaits:
            break  # it was over before: nobody paid
        notices = await driver.rows(_NOTICES, number=number)
        arrived = await sent_to(driver, number, channel)
        lines = [line.split(" ", 2)[2].split(" ")[0] for line in await driver.story(number)]
        if before and whole:
            seen["stopped"] += 1
            assert notices == [("dropped", None)], nth
            assert (arrived, lines) == (0, ["notice_dropped", "dunning_ended"]), nth
        elif before:
            seen["lowered"] += 1
            assert notices == [("sent", 100)], nth
            assert arrived == 1
        else:
            seen["crossed"] += 1
            assert notices == [("sent", 119)], nth
            assert arrived == 1, nth
            order = await driver.rows(_HISTORY, case=case_id_of(number))
            ends = ["notice_sent", "dunning_ended"] if whole else ["notice_sent"]
            assert [event for (event,) in order] == ends, nth
    assert set(seen) == {"stopped", "lowered", "crossed"}, seen
    print(f"{awaits} awaits: {dict(seen)}")  # noqa: T201 - shown where a test fails
    assert awaits > 20


_NOTICES = """select n.status, n.rendered_amount from dunning_notice n
              join customer c on c.id = n.customer_id where c.customer_no = :number"""
_HISTORY = """select event from history where case_id = :case
              and event in ('notice_sent', 'dunning_ended') order by id"""


async def claimed(driver: Driver, number: str) -> None:
    """Let a run of the rule take the customer, and the case stand before its sending."""
    async with driver.services.database.transaction() as session:
        stored = await rules.get(session, O1["name"])
    assert (await driver.hand_over(stored, None)).taken == 1
    driver.ears.told.clear()
    await driver.reaches(case_id_of(number), Step.SEND_NOTICE)


async def sent_to(driver: Driver, number: str, channel: str) -> int:
    """Count what really went out to a customer."""
    settings = driver.services.settings
    if channel == "letter":
        mine = "select 'notice-' || n.id from dunning_notice n join customer c"
        found = await driver.rows(
            f"{mine} on c.id = n.customer_id where c.customer_no = :number", number=number
        )
        return sum(driver.letters().count(reference) for (reference,) in found)
    assert settings.mailbox_dir
    return sum(mail.case_id == case_id_of(number) for mail in list_mails(settings.mailbox_dir))


async def test_a_run_that_takes_the_day_meanwhile(driver: Driver) -> None:
    """X6: what was approved yesterday does not go out on a day that a run is just taking."""
    await driver.owes("119.00", DUE)
    await driver.rule(O1)
    await driver.until(D0, 16)
    await driver.until(D0 + timedelta(days=1), 9)
    await driver.stores("approve")
    lawyer = {**O2, "name": "lawyer", "action": "lawyer_task", "filters": O1["filters"]}
    for name in ("template", "approval_required"):
        lawyer.pop(name)
    await driver.rule(lawyer)
    case_id = case_id_of("D-1")
    progress = await driver.reaches(case_id, Step.SEND_NOTICE)
    query = """insert into dunning_claim (customer_id, day, lane, matched)
               select id, :day, 'step', '{}' from customer"""
    async with driver.services.database.transaction() as session:
        # The run has not committed yet: the sending sees a free day, and then waits for it.
        await session.execute(text(query), {"day": D0 + timedelta(days=1)})
        sending = asyncio.create_task(driver.step(case_id, progress))
        while not await waits_for_a_lock(driver):
            assert not sending.done()
            await asyncio.sleep(0.002)
    assert (await sending).plan.why == "this customer got a dunning step today already"
    await driver.look(case_id)
    assert await driver.rows(_NOTICES, number="D-1") == [("approved", None)]
    await driver.until(D0 + timedelta(days=2), 9)
    assert await driver.rows(_NOTICES, number="D-1") == [("sent", 119)]


async def test_a_mail_server_that_is_away_at_first_costs_no_day(driver: Driver) -> None:
    """Approved on another day than its claim: its own intent does not take the day from it."""
    await driver.owes("119.00", DUE)
    await driver.rule(O1)
    await driver.until(D0, 16)
    await driver.until(D0 + timedelta(days=1), 9)
    await driver.stores("approve")
    case_id, there = case_id_of("D-1"), driver.services
    progress = await driver.reaches(case_id, Step.SEND_NOTICE)
    nowhere = SmtpMailer(there.settings.model_copy(update={"smtp_port": 1}))
    driver.services = replace(there, mailer=nowhere)
    with pytest.raises(MailNotSentError):
        await driver.step(case_id, progress)
    assert await driver.rows("select state from outgoing_mail") == [("intended",)]
    driver.services = there
    await driver.step(case_id, progress)
    assert await driver.story() == [
        "2026-03-04 09:00 payment_reminder 1 by email: 119.00",
    ]


@dataclass
class Dying:
    """A mailer whose worker dies in the hand-over: before the mail is accepted, or after it."""

    mailer: Mailer
    accepts: bool

    async def send(self, message: EmailMessage) -> None:
        """Die, once."""
        if self.accepts:
            await self.mailer.send(message)
        raise DiedError

    async def accepted(self, message_id: str) -> Acceptance:
        """Ask the mailbox."""
        return await self.mailer.accepted(message_id)


class DiedError(Exception):
    """The worker ends here."""


@pytest.mark.parametrize("accepts", [True, False], ids=["accepted", "not accepted"])
async def test_the_workflow_is_lost_in_the_hand_over_and_the_money_comes(
    driver: Driver, *, accepts: bool
) -> None:
    """Started again from the facts it first finds out what became of the mail, then ends."""
    await driver.owes("119.00", DUE)
    await driver.rule(WITHOUT_APPROVAL)
    driver.at = driver.local(D0, 16)
    await claimed(driver, "D-1")
    case_id, there = case_id_of("D-1"), driver.services
    driver.services = replace(there, mailer=Dying(there.mailer, accepts))
    with pytest.raises(DiedError):
        await driver.step(case_id, await driver.reaches(case_id, Step.SEND_NOTICE))
    await driver.books("119.00", DUE)
    driver.services = there
    await driver.look(case_id)
    assert await driver.rows("select status from dunning_notice") == [
        ("sent" if accepts else "dropped",)
    ]
    assert await sent_to(driver, "D-1", "email") == int(accepts)
    await driver.hear()
    assert await driver.ladder() is None


async def test_a_letter_whose_worker_died(driver: Driver) -> None:
    """The spool is asked; a letter that is in it counts as sent, once."""
    await driver.owes("119.00", DUE, email="")
    await driver.rule(WITHOUT_APPROVAL)
    driver.at = driver.local(D0, 16)
    await claimed(driver, "D-1")
    case_id, there = case_id_of("D-1"), driver.services
    driver.services = replace(there, letters=DyingSpool(there.letters))
    with pytest.raises(DiedError):
        await driver.step(case_id, await driver.reaches(case_id, Step.SEND_NOTICE))
    await driver.books("119.00", DUE)
    driver.services = there
    await driver.look(case_id)
    assert await driver.rows("select status from dunning_notice") == [("sent",)]
    assert driver.letters() == ["notice-1"]
    await driver.hear()


@dataclass
class DyingSpool:
    """A spool whose worker dies when it has the letter."""

    letters: LetterService

    async def send(self, letter: Letter) -> None:
        """Put it into the spool, and die."""
        await self.letters.send(letter)
        raise DiedError

    async def accepted(self, reference: str) -> Acceptance:
        """Ask the spool."""
        return await self.letters.accepted(reference)


async def test_the_mail_server_is_away_over_midnight(driver: Driver) -> None:
    """Tried again and again from 23:30 on: it goes out once, with the sum and date of then."""
    await driver.owes("119.00", DUE)
    await driver.rule(WITHOUT_APPROVAL)
    driver.at = driver.local(D0, 23, 30)
    await claimed(driver, "D-1")
    case_id, there = case_id_of("D-1"), driver.services
    progress = await driver.reaches(case_id, Step.SEND_NOTICE)
    nowhere = SmtpMailer(there.settings.model_copy(update={"smtp_port": 1}))
    driver.services = replace(there, mailer=nowhere)
    for tried in range(7):
        with pytest.raises(MailNotSentError):
            await driver.step(case_id, progress)
        driver.at += timedelta(minutes=10)
        if tried == 3:
            await driver.books("19.00", DUE)
    driver.services = there
    await driver.step(case_id, progress)
    assert await driver.story() == ["2026-03-04 00:40 payment_reminder 1 by email: 100.00"]
    # Both days are taken by it: no other step on the day on which it went out (X6).
    days = await driver.rows("select day from dunning_claim order by day")
    assert days == [(D0,), (D0 + timedelta(days=1),)]
    assert await sent_to(driver, "D-1", "email") == 1
    await driver.hear()


async def test_paid_and_late_again_while_a_notice_waits(driver: Driver) -> None:
    """Another rule's run has ended the ladder meanwhile (X11): what goes out stands on the new one."""
    await driver.owes("119.00", DUE)
    await driver.rule(O1)
    await driver.until(D0, 16)
    await driver.books("119.00", DUE)
    await driver.rule({**O1, "name": "nobody", "filters": [condition("debt", ">", 5000)]})
    async with driver.services.database.transaction() as session:
        await driver.hand_over(await rules.get(session, "nobody"), None)
    assert await driver.ladder() is None
    await driver.owes_unheard("80.00", date(2026, 2, 22))
    await driver.stores("approve")
    await driver.hear()
    sent = await driver.rows("""select n.level, k.level, k.notices_count, k.ended_at
        from dunning_notice n join dunning_case k on k.id = n.dunning_case_id
        where n.status = 'sent'""")
    assert sent in ([], [(1, 1, 1, None)])
