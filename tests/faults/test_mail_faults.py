"""A mail server that breaks off, refuses, is slow or says later: each mail arrives once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import text

from connectors.mail import SmtpMailer
from domain.order_case import Step
from starter.stack import checks, mailbox
from tests.faults.conftest import Servers
from tests.faults.proxy import Proxy, Verdict, content, first

LATER = b"451 4.7.1 Greylisted, come back later\r\n"
NEVER = b"550 5.1.1 Nobody of that name here\r\n"
UNKNOWN, NOT_SENT = "MailOutcomeUnknownError", "MailNotSentError"


def recipient(piece: bytes) -> bool:
    """Whether a piece names a recipient."""
    return piece.startswith(b"RCPT")


@pytest.mark.parametrize(
    ("verdict", "what"),
    [(Verdict.CUT_AFTER, "the answer"), (Verdict.CUT, "the mail")],
    ids=["accepted and dropped", "dropped"],
)
async def test_the_connection_breaks_in_the_hand_over(
    servers: Servers, verdict: Verdict, what: str
) -> None:
    """Twice the answer is lost, or the mail: the mailbox is asked and says whether it has it."""
    request = await servers.next(Step.SEND_EMAIL)
    servers.mail.judge = first(2, content, verdict)
    assert await servers.attempt(request, Step.SEND_EMAIL) == UNKNOWN
    assert await servers.mail_states() == ["handing_over"]
    assert servers.arrived() == (1 if what == "the answer" else 0)

    errors = [await servers.attempt(request, Step.SEND_EMAIL) for _ in range(3)]

    assert errors == (["", "", ""] if what == "the answer" else [UNKNOWN, "", ""])
    assert (servers.arrived(), await servers.mail_states()) == (1, ["sent"])


async def test_the_connection_breaks_after_the_answer(servers: Servers) -> None:
    """That mail is sent; the next one finds the connection dead and takes a new one."""
    request = await servers.next(Step.SEND_EMAIL)
    assert await servers.attempt(request, Step.SEND_EMAIL) == ""
    assert servers.mail.cut() == 1

    other = await servers.next(Step.SEND_EMAIL, order_no="ZT-2", placed_at="2026-11-17T10:00:00Z")
    assert await servers.attempt(other, Step.SEND_EMAIL) == ""

    assert (servers.arrived(), await servers.mail_states()) == (2, ["sent", "sent"])


async def test_greylisting_is_not_an_error_for_good(servers: Servers) -> None:
    """The server says later, twice; nothing counts as sent before it is."""
    request = await servers.next(Step.SEND_EMAIL)
    servers.mail.judge = first(2, recipient, LATER)

    errors = [await servers.attempt(request, Step.SEND_EMAIL) for _ in range(3)]

    assert errors == [NOT_SENT, NOT_SENT, ""]
    assert (servers.arrived(), await servers.mail_states()) == (1, ["sent"])


async def test_one_recipient_who_is_refused_holds_nobody_up(servers: Servers) -> None:
    """Only the case of that recipient needs a person; the next mail goes out."""
    refused = await servers.next(Step.SEND_EMAIL)
    other = await servers.next(Step.SEND_EMAIL, order_no="ZT-2", placed_at="2026-11-17T10:00:00Z")
    servers.mail.judge = first(1, recipient, NEVER)

    assert await servers.attempt(refused, Step.SEND_EMAIL) == "NotDeliverableError"
    assert await servers.attempt(other, Step.SEND_EMAIL) == ""

    assert (servers.arrived(), await servers.mail_states()) == (1, ["failed", "sent"])


async def test_a_slow_server_gets_its_time(servers: Servers) -> None:
    """Each line comes after a while: within the patience it is just slow."""
    request = await servers.next(Step.SEND_EMAIL)
    servers.mail.delay = 0.15

    assert await servers.attempt(request, Step.SEND_EMAIL) == ""


async def test_a_server_that_falls_silent_is_given_up(servers: Servers) -> None:
    """Before the content that is definite; after it the mailbox is asked."""
    request = await servers.next(Step.SEND_EMAIL)
    hasty = SmtpMailer(servers.settings, timeout=0.3)
    servers.driver.services = replace(servers.driver.services, mailer=hasty)
    servers.mail.stall()
    assert await servers.attempt(request, Step.SEND_EMAIL) == NOT_SENT
    servers.mail.heal()

    def falls_silent(piece: bytes) -> Verdict:
        if content(piece):
            asyncio.get_running_loop().call_soon(servers.mail.stall)
        return Verdict.PASS

    servers.mail.judge = falls_silent
    assert await servers.attempt(request, Step.SEND_EMAIL) == UNKNOWN
    servers.mail.heal()
    assert await servers.attempt(request, Step.SEND_EMAIL) == ""

    await hasty.aclose()
    assert (servers.arrived(), await servers.mail_states()) == (1, ["sent"])


async def test_the_doctor_says_what_a_server_answers_that_takes_nothing(servers: Servers) -> None:
    """It greets, so it looks healthy: the mails that wait give it away, and say why."""
    request = await servers.next(Step.SEND_EMAIL)
    servers.mail.judge = first(1, recipient, LATER)
    assert await servers.attempt(request, Step.SEND_EMAIL) == NOT_SENT
    async with servers.sound.engine.begin() as connection:
        await connection.execute(
            text("update outgoing_mail set intended_at = now() - interval '20 minutes'")
        )

    found = {check.name: check for check in await checks.check_database(servers.settings)}

    assert not found["outgoing mail"].ok
    assert "1 mails" in found["outgoing mail"].finding
    assert "451" in found["outgoing mail"].finding
    assert "ZAHLTAG_SMTP_" in found["outgoing mail"].remedy


async def test_the_doctor_says_that_the_mail_server_is_away(servers: Servers) -> None:
    """And what to do."""
    servers.mail.leave()

    (found,) = await checks.check_mail(servers.settings)

    assert not found.ok
    assert "gives no answer" in found.finding
    assert "zahltag up" in found.remedy


@pytest_asyncio.fixture
async def plain(servers: Servers) -> AsyncIterator[tuple[Proxy, list[str]]]:
    """Give the driver a mail server that cannot be asked; yields its proxy and what it accepted."""
    accepted: list[str] = []

    class Anywhere(mailbox.Handler):
        """Takes everything."""

        async def handle_DATA(  # noqa: N802 - aiosmtpd finds the hook by this name
            self, _server: SMTP, _session: Session, envelope: Envelope
        ) -> str:
            accepted.append(mailbox.message_id_of(envelope.original_content or b""))
            return "250 2.0.0 OK"

    assert servers.settings.mailbox_dir
    folder = servers.settings.mailbox_dir.parent / "elsewhere"
    async with mailbox.serving("127.0.0.1", 0, folder, Anywhere) as server:
        proxy = Proxy(lambda: ("127.0.0.1", server))
        async with proxy.listening() as port:
            own = servers.settings.model_copy(update={"smtp_port": port, "mailbox_dir": None})
            mailer = SmtpMailer(own, timeout=2)
            before, servers.elsewhere = servers.driver.services, True
            servers.driver.services = replace(before, mailer=mailer, settings=own)
            yield proxy, accepted
            await mailer.aclose()


@pytest.mark.parametrize(
    ("answer", "error"), [(LATER, NOT_SENT), (NEVER, "NotDeliverableError")], ids=["451", "550"]
)
async def test_a_refusal_does_not_undo_a_doubt(
    servers: Servers, plain: tuple[Proxy, list[str]], answer: bytes, error: str
) -> None:
    """The first hand-over may have arrived (it did): that the second failed does not change it."""
    proxy, accepted = plain
    request = await servers.next(Step.SEND_EMAIL)
    proxy.judge = first(1, content, Verdict.CUT_AFTER)
    assert await servers.attempt(request, Step.SEND_EMAIL) == UNKNOWN

    proxy.judge = first(1, recipient, answer)
    assert await servers.attempt(request, Step.SEND_EMAIL) == error
    assert await servers.mail_states() == ["handing_over"]

    assert await servers.attempt(request, Step.SEND_EMAIL) == ""
    assert (len(accepted), len(set(accepted))) == (2, 1)
    assert await servers.mail_states() == ["sent"]
