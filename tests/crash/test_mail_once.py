"""A mail whose sending breaks off at the worst moments still arrives exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.message import EmailMessage

import pytest
import pytest_asyncio

from activities.services import Services
from connectors.mail import Acceptance, SmtpMailer
from connectors.mailbox import list_mails
from domain.company import Company
from domain.errors import TryLaterError
from domain.order_case import Step
from models.messages import StepRequest
from models.settings import Settings
from models.store.database import Database
from starter.stack import mailbox
from tests.activities.driver import Driver
from tests.invariants import check


class DiedError(Exception):
    """The worker ends here."""


@dataclass
class Interrupted:
    """A mailer to whose callers things happen, one a sending: nothing once the list is empty."""

    mailer: SmtpMailer
    events: list[str]
    silent: bool = False
    sent: int = 0
    sending: asyncio.Event = field(default_factory=asyncio.Event)
    going_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: EmailMessage) -> None:
        """Send, or break off."""
        event = self.events.pop(0) if self.events else ""
        if event == "dies before":
            raise DiedError
        if event == "takes long":
            self.sending.set()
            await self.going_on.wait()
        await self.mailer.send(message)
        self.sent += 1
        if event == "dies after":
            raise DiedError

    async def accepted(self, message_id: str) -> Acceptance:
        """Ask the mailbox, unless it is silent."""
        return Acceptance.UNKNOWN if self.silent else await self.mailer.accepted(message_id)


@dataclass
class Sending:
    """An invoice mail that is next, and how to try it."""

    driver: Driver
    mailer: Interrupted
    request: StepRequest

    async def attempt(self) -> None:
        """Run the activity once."""
        await self.driver.activity(Step.SEND_EMAIL)(self.request)


@pytest_asyncio.fixture
async def sending(
    database: Database,
    settings: Settings,
    company: Company,  # noqa: ARG001 - set in the database
) -> AsyncIterator[Sending]:
    """An order up to its invoice mail, with the embedded mailbox; in the end one mail is there."""
    assert settings.mailbox_dir
    async with mailbox.serving("127.0.0.1", 0, settings.mailbox_dir) as port:
        own = settings.model_copy(update={"smtp_port": port})
        mailer = SmtpMailer(own)
        interrupted = Interrupted(mailer, [])
        driver = Driver(Services(database, interrupted, own, together=False))
        case_id = await driver.submit("zahltag-ok")
        request = driver.request(case_id, await driver.until(case_id, Step.SEND_EMAIL))
        yield Sending(driver, interrupted, request)
        await mailer.aclose()
    assert [mail.kind for mail in list_mails(settings.mailbox_dir)] == ["invoice"]
    await check(database, mailbox=settings.mailbox_dir)


@pytest.mark.parametrize("moment", ["dies before", "dies after"])
async def test_a_worker_dies_in_the_hand_over(sending: Sending, moment: str) -> None:
    """The next attempt asks the mailbox and sends only what is not there."""
    sending.mailer.events = [moment]
    with pytest.raises(DiedError):
        await sending.attempt()

    await sending.attempt()
    await sending.attempt()

    assert sending.mailer.sent == 1


async def test_a_mailbox_that_does_not_answer_is_asked_later(sending: Sending) -> None:
    """It will know: nobody has to guess."""
    sending.mailer.events, sending.mailer.silent = ["dies after"], True
    with pytest.raises(DiedError):
        await sending.attempt()
    with pytest.raises(TryLaterError):
        await sending.attempt()

    sending.mailer.silent = False
    await sending.attempt()

    assert sending.mailer.sent == 1


async def test_an_attempt_that_was_given_up_goes_on_to_its_end(sending: Sending) -> None:
    """Temporal may be away for so long that it starts a second attempt: that one has to wait."""
    sending.mailer.events = ["takes long"]
    first = asyncio.create_task(sending.attempt())
    await sending.mailer.sending.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(TryLaterError):
        await sending.attempt()

    sending.mailer.going_on.set()
    async with asyncio.timeout(10):
        while True:
            try:
                await sending.attempt()
                break
            except TryLaterError:
                await asyncio.sleep(0.05)

    assert sending.mailer.sent == 1


async def test_a_plain_mail_server_gets_an_invoice_again_with_the_same_id(
    database: Database,
    settings: Settings,
    company: Company,  # noqa: ARG001 - set in the database
) -> None:
    """Nobody can say whether it was accepted: better twice than never, and readers see one."""

    @dataclass
    class Plain:
        """A server that takes everything and remembers nothing; the first caller dies."""

        ids: list[str] = field(default_factory=list)

        async def send(self, message: EmailMessage) -> None:
            self.ids.append(str(message["Message-ID"]))
            if len(self.ids) == 1:
                raise DiedError

        async def accepted(self, message_id: str) -> Acceptance:  # noqa: ARG002 - it knows none
            return Acceptance.UNKNOWN

    plain = Plain()
    own = settings.model_copy(update={"mailbox_dir": None})
    services = Services(database, plain, own, together=False)
    driver = Driver(services)
    case_id = await driver.submit("zahltag-ok")
    progress = await driver.until(case_id, Step.SEND_EMAIL)
    with pytest.raises(DiedError):
        await driver.run(case_id, progress)

    after = await driver.run(case_id, progress)

    assert after.plan.step is Step.SET_DUE_DATE
    assert len(plain.ids) == 2
    assert len(set(plain.ids)) == 1
