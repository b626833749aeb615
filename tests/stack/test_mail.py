"""Sending mail: each way it can end is told apart exactly, against real loopback servers."""

from __future__ import annotations

import asyncio
import contextlib
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.smtp import SMTP

from connectors.mail import (
    Acceptance,
    MailNotSentError,
    MailOutcomeUnknownError,
    MailRefusedError,
    SmtpMailer,
)
from connectors.mailbox import list_mails
from models.settings import Settings
from starter.stack.mailbox import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

HELLO = {b"EHLO": b"250 hello", b"MAIL": b"250 ok", b"RCPT": b"250 ok", b"DATA": b"354 go"}


def a_mail(number: int = 1, to: str = "b@customer.example") -> EmailMessage:
    """A mail with everything that trips mailers: umlauts, a lone dot, a long Message-ID."""
    message = EmailMessage()
    message["From"] = "Rechnungen <a@zahltag.example>"
    message["To"] = to
    message["Subject"] = "Rechnung über 119,00 €"
    message["Message-ID"] = f"<order-shop-{number}.invoice.{'0' * 90}@zahltag.example>"
    message.set_content("Guten Tag\n.\n..\nViele Grüße\n")
    message.add_attachment(b"%PDF" * 9000, maintype="application", subtype="pdf", filename="r.pdf")
    return message


@contextlib.asynccontextmanager
async def listening(on: Callable[..., Awaitable[None]]) -> AsyncIterator[int]:
    """Serve raw connections with ``on(reader, writer)``."""
    server = await asyncio.start_server(on, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def answering(handler: Any) -> AsyncIterator[int]:
    """Serve with aiosmtpd and the given hooks."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, loop=loop, hostname="test"), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def scripted(
    answers: dict[bytes, bytes], at_dot: Callable[[asyncio.StreamWriter], Awaitable[None]]
) -> Callable[..., Awaitable[None]]:
    """A server that answers by verb and does ``at_dot`` once it has the whole content."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb not in answers:
                    break
                writer.write(answers[verb] + b"\r\n")
                if verb == b"DATA" and answers[verb].startswith(b"354"):
                    await reader.readuntil(b"\r\n.\r\n")
                    await at_dot(writer)
                    break
        writer.close()

    return serve


@contextlib.asynccontextmanager
async def mailer(port: int, patience: float = 5, **settings: Any) -> AsyncIterator[SmtpMailer]:
    """A mailer for a port of this machine."""
    made = SmtpMailer(Settings(_env_file=None, smtp_port=port, **settings), timeout=patience)
    try:
        yield made
    finally:
        await made.aclose()


async def drop(_writer: asyncio.StreamWriter) -> None:
    """Give no answer: the server closes."""


async def test_a_refused_recipient_is_permanent_and_names_nobody() -> None:
    """550 at RCPT: refused for good, and the error can be logged without personal data."""

    class Handler:
        async def handle_RCPT(self, *_: object) -> str:  # noqa: N802
            return "550 5.1.1 <b@customer.example>: mailbox of b@customer.example unavailable"

    async with answering(Handler()) as port, mailer(port) as mail:
        with pytest.raises(MailRefusedError) as raised:
            await mail.send(a_mail())
    assert raised.value.code == 550
    assert "customer" not in str(raised.value)
    assert "mailbox of <address> unavailable" in raised.value.text


async def test_one_refused_recipient_of_two_sends_to_nobody() -> None:
    """A mail goes to all of its recipients or to none."""
    stored = []

    class Handler:
        async def handle_RCPT(self, _s: Any, _n: Any, envelope: Any, address: str, _o: Any) -> str:  # noqa: N802
            if address.startswith("bad"):
                return "550 no"
            envelope.rcpt_tos.append(address)
            return "250 ok"

        async def handle_DATA(self, *_: object) -> str:  # noqa: N802
            stored.append(1)
            return "250 ok"

    async with answering(Handler()) as port, mailer(port) as mail:
        with pytest.raises(MailRefusedError):
            await mail.send(a_mail(to="good@x.example, bad@x.example"))
        await mail.send(a_mail(to="good@x.example"))
    assert stored == [1]


@pytest.mark.parametrize(
    ("answer", "error"),
    [(b"451 try later", MailNotSentError), (b"554 no", MailRefusedError)],
)
@pytest.mark.parametrize("when", ["before the content", "after the content"])
async def test_an_answer_is_definite_at_any_time(
    answer: bytes, error: type[Exception], when: str
) -> None:
    """4xx means not sent, 5xx refused, whether said to DATA or to its content."""
    early = when == "before the content"

    async def at_dot(writer: asyncio.StreamWriter) -> None:
        writer.write(answer + b"\r\n")

    server = scripted({**HELLO, b"DATA": answer} if early else HELLO, at_dot)
    async with listening(server) as port, mailer(port) as mail:
        with pytest.raises(error):
            await mail.send(a_mail())


async def test_a_wrong_password_is_not_the_mails_fault() -> None:
    """A login that the server wants or refuses can be mended: the mail is not refused."""
    answers = {**HELLO, b"MAIL": b"530 5.7.0 Authentication required"}
    async with listening(scripted(answers, drop)) as port:
        async with mailer(port) as mail:
            with pytest.raises(MailNotSentError):
                await mail.send(a_mail())
        async with mailer(port, smtp_user="u", smtp_password="p") as mail:
            with pytest.raises(MailNotSentError):
                await mail.send(a_mail())


async def test_nobody_listens(unused_port: int) -> None:
    """Connection refused: certainly not sent."""
    async with mailer(unused_port) as mail:
        with pytest.raises(MailNotSentError):
            await mail.send(a_mail())


@pytest.mark.parametrize("last", [b"EHLO", b"MAIL", b"RCPT", b"DATA"])
async def test_a_connection_lost_before_the_content_is_not_sent(last: bytes) -> None:
    """Whichever command goes unanswered, nothing can have been delivered."""
    answers = {verb: text for verb, text in HELLO.items() if verb != last}
    async with listening(scripted(answers, drop)) as port, mailer(port) as mail:
        with pytest.raises(MailNotSentError):
            await mail.send(a_mail())


async def test_a_connection_lost_after_the_final_dot_is_unknown() -> None:
    """The server has everything and says nothing: nobody can know."""
    async with listening(scripted(HELLO, drop)) as port, mailer(port) as mail:
        with pytest.raises(MailOutcomeUnknownError):
            await mail.send(a_mail())
        assert await mail.accepted("<any@x>") is Acceptance.UNKNOWN


async def test_no_answer_in_time_is_unknown() -> None:
    """A slow answer to the content times out: unknown, and the connection is not used again."""

    async def slow(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1)
        writer.write(b"250 ok\r\n")

    async with listening(scripted(HELLO, slow)) as port, mailer(port, patience=0.2) as mail:
        with pytest.raises(MailOutcomeUnknownError):
            await mail.send(a_mail())


async def test_no_answer_to_data_in_time_is_not_sent() -> None:
    """The same silence one step earlier is definite."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        while (line := await reader.readline()) and not line.startswith(b"DATA"):
            writer.write(b"250 ok\r\n")
        await reader.read()
        writer.close()

    async with listening(serve) as port, mailer(port, patience=0.2) as mail:
        with pytest.raises(MailNotSentError):
            await mail.send(a_mail())


async def test_a_kept_connection_that_died_is_replaced() -> None:
    """A server may hang up on an idle connection, with or without 421: no mail is lost by it."""
    sessions: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sessions.append(0)
        writer.write(b"220 test\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"MAIL" and sessions[-1]:
                writer.write(b"421 4.4.2 idle too long\r\n")
                break
            writer.write(HELLO.get(verb, b"221 bye") + b"\r\n")
            if verb == b"DATA":
                await reader.readuntil(b"\r\n.\r\n")
                sessions[-1] += 1
                writer.write(b"250 ok\r\n")
                if len(sessions) == 2:
                    break
        writer.close()

    async with listening(serve) as port, mailer(port) as mail:
        for number in range(4):
            await mail.send(a_mail(number))
            await asyncio.sleep(0.02)
    assert sum(sessions) == 4
    assert len(sessions) == 4


async def test_at_most_four_connections_are_open() -> None:
    """Twenty mails at once share four connections, which stay for the next ones."""
    open_now = peak = total = 0

    class Server(SMTP):
        def connection_made(self, transport: Any) -> None:
            nonlocal open_now, peak, total
            open_now, total = open_now + 1, total + 1
            peak = max(peak, open_now)
            super().connection_made(transport)

        def connection_lost(self, error: Exception | None) -> None:
            nonlocal open_now
            open_now -= 1
            super().connection_lost(error)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(object(), loop=loop), "127.0.0.1", 0)
    async with mailer(server.sockets[0].getsockname()[1]) as mail:
        await asyncio.gather(*(mail.send(a_mail(number)) for number in range(20)))
    server.close()
    assert peak == total == 4


async def test_an_address_that_would_smuggle_a_command_is_refused(tmp_path: Path) -> None:
    """Nothing but an address reaches the server; a mail without recipient is refused here."""
    async with serving("127.0.0.1", 0, tmp_path) as port, mailer(port) as mail:
        with pytest.raises(MailRefusedError):
            await mail.send(a_mail(to='"x y" <a b> SIZE=1@x.example'))
        with pytest.raises(MailRefusedError):
            await mail.send(a_mail(to=""))
    assert list_mails(tmp_path) == []


async def test_letters_beyond_ascii_need_a_server_that_takes_them(tmp_path: Path) -> None:
    """An address with umlauts goes to a server with SMTPUTF8 and is refused by another one."""
    async with serving("127.0.0.1", 0, tmp_path) as port, mailer(port) as mail:
        await mail.send(a_mail(to="jörg@müller.example"))
    assert [mail.to for mail in list_mails(tmp_path)] == ["jörg@müller.example"]
    async with answering(object()) as port, mailer(port) as mail:
        with pytest.raises(MailRefusedError):
            await mail.send(a_mail(to="jörg@müller.example"))
