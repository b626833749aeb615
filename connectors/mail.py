"""Sends mail by SMTP and says exactly how it ended: accepted, refused, not sent, or unknown.

The border is the first byte of the mail's content. Before it nothing can have been delivered, so
every failure is definite. After it only the server's answer tells; without an answer the outcome is
unknown, and only the embedded mailbox can be asked. Nothing is repeated here once that border is
crossed: that decision belongs to the caller.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import aiosmtplib
from aiosmtplib.email import extract_recipients, extract_sender, flatten_message
from aiosmtplib.protocol import normalize_message_line_endings

from connectors.mailbox import was_accepted

if TYPE_CHECKING:
    from email.message import EmailMessage

    from models.settings import Settings

CONNECTIONS = 4
TIMEOUT = 30.0
# A large mail on a slow line takes its time; the answer is due this much later per byte.
SECONDS_PER_BYTE = 1 / 100_000
# Answers that speak of our login, not of this mail: it can be sent once the settings are right.
LOGIN_CODES = frozenset({530, 534, 535, 538})

_ADDRESS = re.compile(r"<[^>]*>|\S+@\S+")


class Acceptance(StrEnum):
    """Whether the mail server has taken a mail into its hands."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class MailError(Exception):
    """A mail was not sent as asked; the message holds no personal data."""


class MailRefusedError(MailError):
    """The server will not take this mail, ever: nothing was sent, and repeating is useless."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = without_addresses(text)
        super().__init__(f"the mail server refused the mail: {self.code} {self.text}")


class MailNotSentError(MailError):
    """Nothing was sent, for certain; a later attempt may succeed."""


class MailOutcomeUnknownError(MailError):
    """The content was handed over and no answer came: the mail may have been accepted."""


class Mailer(Protocol):
    """What sends a mail and can say later whether it was accepted."""

    async def send(self, message: EmailMessage) -> None:
        """Return once the server has accepted the mail; raise a ``MailError`` otherwise."""

    async def accepted(self, message_id: str) -> Acceptance:
        """Say whether a mail with this Message-ID was accepted."""


@dataclass(frozen=True, slots=True)
class _Envelope:
    sender: str
    recipients: list[str]

    @classmethod
    def of(cls, message: EmailMessage) -> _Envelope:
        try:
            sender, recipients = extract_sender(message), extract_recipients(message)
        except ValueError as error:
            raise MailRefusedError(501, "an address of the mail is malformed") from error
        if not sender or not recipients:
            raise MailRefusedError(501, "the mail needs a sender and a recipient")
        return cls(sender, recipients)

    @property
    def needs_utf8(self) -> bool:
        return not all(address.isascii() for address in (self.sender, *self.recipients))


class SmtpMailer:
    """Sends over a few kept connections to the mail server of the settings."""

    def __init__(self, settings: Settings, *, timeout: float = TIMEOUT) -> None:
        self._settings = settings
        self._timeout = timeout
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[aiosmtplib.SMTP] = []

    async def send(self, message: EmailMessage) -> None:
        """Return once the server has accepted the mail for every recipient."""
        envelope = _Envelope.of(message)
        async with self._places:
            client, content = await self._offer(envelope, message)
            try:
                await self._hand_over(client, content)
            except BaseException:
                client.close()
                raise
            self._idle.append(client)

    async def accepted(self, message_id: str) -> Acceptance:
        """Ask the embedded mailbox; any other server cannot be asked.

        "No" is said only after the mailbox has finished what it was receiving: a mail may still
        be on its way to disk when the sender asks.
        """
        folder = self._settings.mailbox_dir
        if folder is None:
            return Acceptance.UNKNOWN
        if await asyncio.to_thread(was_accepted, folder, message_id):
            return Acceptance.YES
        if not await self._mailbox_has_settled():
            return Acceptance.UNKNOWN
        there = await asyncio.to_thread(was_accepted, folder, message_id)
        return Acceptance.YES if there else Acceptance.NO

    async def aclose(self) -> None:
        """Say goodbye on every idle connection."""
        while self._idle:
            client = self._idle.pop()
            try:
                await client.quit(timeout=1)
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    async def _offer(
        self, envelope: _Envelope, message: EmailMessage
    ) -> tuple[aiosmtplib.SMTP, bytes]:
        """Bring a connection to where the server waits for the content; return both.

        A kept connection may have been closed by the server in the meantime (some say 421 first):
        that is no failure of this mail, a fresh connection gets it.
        """
        while self._idle:
            client = self._idle.pop()
            try:
                return client, await _announce(client, envelope, message)
            except MailNotSentError:
                continue
        client = await self._connect()
        return client, await _announce(client, envelope, message)

    async def _connect(self) -> aiosmtplib.SMTP:
        own = self._settings
        client = aiosmtplib.SMTP(
            hostname=own.smtp_host,
            port=own.smtp_port,
            username=own.smtp_user or None,
            password=own.smtp_password.get_secret_value() or None,
            local_hostname=own.mail_domain,
            use_tls=own.smtp_tls == "tls",
            start_tls=own.smtp_tls == "starttls",
            timeout=self._timeout,
        )
        try:
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise MailNotSentError(
                f"the mail server {own.smtp_host}:{own.smtp_port} cannot be used: "
                f"{without_addresses(str(error))}"
            ) from error
        except BaseException:
            client.close()
            raise
        return client

    async def _hand_over(self, client: aiosmtplib.SMTP, content: bytes) -> None:
        protocol = client.protocol
        if protocol is None:
            raise MailNotSentError("the mail server closed the connection before the content")
        try:
            protocol.write(content)
        except aiosmtplib.SMTPServerDisconnected as error:
            raise MailNotSentError("the mail server closed the connection") from error
        deadline = self._timeout + len(content) * SECONDS_PER_BYTE
        try:
            answer = await protocol.read_response(timeout=deadline)
        except (aiosmtplib.SMTPException, OSError) as error:
            raise MailOutcomeUnknownError(
                f"the mail was handed over, but no answer came: {without_addresses(str(error))}"
            ) from error
        if not 200 <= answer.code < 300:
            raise _answered(answer.code, answer.message, after_content=True)

    async def _mailbox_has_settled(self) -> bool:
        try:
            client = await self._connect()
        except MailNotSentError:
            return False
        try:
            answer = await client.execute_command(b"XSETTLED")
        except (aiosmtplib.SMTPException, OSError):
            return False
        finally:
            client.close()
        return answer.code == 250


async def _announce(client: aiosmtplib.SMTP, envelope: _Envelope, message: EmailMessage) -> bytes:
    """Walk through MAIL, RCPT and DATA and return the content that the server now waits for.

    One refused recipient refuses the mail for all. A connection on which anything failed is closed.
    """
    try:
        options = _options(client, envelope)
        content = _content(client, envelope, message)
        if client.supports_extension("size"):
            options.append(f"SIZE={len(content)}")
        encoding = "utf-8" if envelope.needs_utf8 else "ascii"
        await client.mail(envelope.sender, options=options, encoding=encoding)
        for recipient in envelope.recipients:
            await client.rcpt(recipient, encoding=encoding)
        answer = await client.execute_command(b"DATA")
        _expect(354, answer)
    except BaseException as error:
        client.close()
        if isinstance(error, aiosmtplib.SMTPResponseException):
            raise _answered(error.code, error.message, after_content=False) from error
        if isinstance(error, aiosmtplib.SMTPException | OSError):
            raise MailNotSentError(
                f"the mail server went away before the content: {without_addresses(str(error))}"
            ) from error
        if isinstance(error, ValueError):
            raise MailRefusedError(501, "an address or header of the mail is malformed") from error
        raise
    return content


def _expect(code: int, answer: aiosmtplib.SMTPResponse) -> None:
    if answer.code != code:
        raise aiosmtplib.SMTPResponseException(answer.code, answer.message)


def _options(client: aiosmtplib.SMTP, envelope: _Envelope) -> list[str]:
    options = ["BODY=8BITMIME"] if client.supports_extension("8bitmime") else []
    if envelope.needs_utf8:
        if not client.supports_extension("smtputf8"):
            raise MailRefusedError(553, "the mail server takes only addresses in ASCII letters")
        options.append("SMTPUTF8")
    return options


def _answered(code: int, text: str, *, after_content: bool) -> MailError:
    """Sort a server's negative answer. What is no SMTP answer at all proves nothing."""
    if 500 <= code < 600 and (after_content or code not in LOGIN_CODES):
        return MailRefusedError(code, text)
    if after_content and not 400 <= code < 500:
        return MailOutcomeUnknownError(f"the mail server's answer makes no sense: {code}")
    return MailNotSentError(f"the mail server answered {code} {without_addresses(text)}")


def _content(client: aiosmtplib.SMTP, envelope: _Envelope, message: EmailMessage) -> bytes:
    """The bytes that follow DATA: lines end in CRLF, leading dots are doubled, a dot ends it."""
    transfer = "8bit" if client.supports_extension("8bitmime") else "7bit"
    flat = flatten_message(message, utf8=envelope.needs_utf8, cte_type=transfer)
    return re.sub(rb"(?m)^\.", b"..", normalize_message_line_endings(flat)) + b".\r\n"


def without_addresses(text: str) -> str:
    """Return a server's words in one line, fit for logs: no e-mail address stands in them."""
    return " ".join(_ADDRESS.sub("<address>", text).split())
