"""The embedded mailbox: an SMTP server that keeps every mail it accepts and delivers none.

It says 250 only when the mail is on disk for good, so its folder answers, after any crash, whether
a mail was accepted. A Message-ID that comes twice is kept twice: doubles must be seen, not hidden.
``connectors.mailbox`` reads what this writes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from typing import TYPE_CHECKING

from aiosmtpd.smtp import SMTP, Envelope, Session

from connectors.mailbox import ENVELOPE_HEADER, SUFFIX, mail_id, message_id_of, received_us

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

MAX_BYTES = 25 * 1024 * 1024
SETTLE_TIMEOUT = 20.0

log = logging.getLogger(__name__)


class Folder:
    """The folder of accepted mails: names rise with every mail, over restarts too."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in directory.glob("*.part"):
            leftover.unlink()
        self._directory = directory
        names = [path.stem for path in directory.glob(f"*{SUFFIX}")]
        self._last = received_us(max(names)) if names else 0

    def store(self, recipients: list[str], content: bytes) -> None:
        """Put one mail on disk, whole or not at all, before returning.

        This blocks the event loop on purpose: a connection that breaks meanwhile must not leave it
        open whether the mail was kept.
        """
        self._last = max(self._last + 1, time.time_ns() // 1000)
        name = mail_id(self._last, message_id_of(content))
        envelope = f"{ENVELOPE_HEADER}: {', '.join(recipients)}\r\n".encode("utf-8", "replace")
        part = self._directory / f"{name}.part"
        try:
            _write(part, envelope + content)
        except OSError:
            # On a full disk what was begun would keep the rest from ever fitting in.
            part.unlink(missing_ok=True)
            raise
        part.rename(self._directory / f"{name}{SUFFIX}")
        folder = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _write(file: Path, content: bytes) -> None:
    """Write a new file and wait until it is on disk."""
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as output:
        output.write(content)
        output.flush()
        os.fsync(output.fileno())


class Handler:
    """Stores what arrives and knows who is still handing over."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self.receiving: dict[object, asyncio.Event] = {}

    async def handle_DATA(  # noqa: N802 - aiosmtpd finds the hook by this name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Answer 250 only once the mail is on disk."""
        content = envelope.original_content or b""
        try:
            self._folder.store(envelope.rcpt_tos, content)
        except OSError as error:
            return f"452 4.3.1 The mailbox cannot store the mail: {error.strerror}"
        return "250 2.0.0 Stored"

    async def handle_exception(self, error: Exception) -> str:
        """Let the sender try again."""
        log.error("The mailbox failed", exc_info=error)
        return f"451 4.3.0 The mailbox failed: {type(error).__name__}"


class _Connection(SMTP):
    """One client; adds ``XSETTLED``, which waits for what other clients are handing over."""

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - named by the SMTP verb
        done = asyncio.Event()
        receiving: dict[object, asyncio.Event] = self.event_handler.receiving
        receiving[self] = done
        try:
            await super().smtp_DATA(arg)
        finally:
            del receiving[self]
            done.set()

    async def smtp_XSETTLED(self, _arg: str) -> None:  # noqa: N802 - named by the SMTP verb
        """Answer once every mail that was being received at this moment is stored or given up.

        Who handed over content has been told to begin, so its mail is among these: after the
        answer the folder says the last word on it.
        """
        begun = [event.wait() for event in self.event_handler.receiving.values()]
        try:
            async with asyncio.timeout(SETTLE_TIMEOUT):
                await asyncio.gather(*begun)
        except TimeoutError:
            await self.push("451 4.3.0 A mail is still being received")
        else:
            await self.push("250 2.0.0 Settled")


@contextlib.asynccontextmanager
async def serving(
    host: str, port: int, directory: Path, handler: Callable[[Folder], Handler] = Handler
) -> AsyncIterator[int]:
    """Run the mailbox within the current loop; yields the port (a free one for port 0)."""
    handling = handler(Folder(directory))
    loop = asyncio.get_running_loop()

    def connection() -> _Connection:
        return _Connection(
            handling,
            data_size_limit=MAX_BYTES,
            enable_SMTPUTF8=True,
            hostname="zahltag.mailbox",
            ident="Zahltag mailbox",
            loop=loop,
        )

    server = await loop.create_server(connection, host, port, start_serving=False)
    try:
        await server.start_serving()
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def _run() -> None:
    from models.settings import Settings  # noqa: PLC0415 - tests use the server without settings

    settings = Settings()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    directory = settings.mailbox_dir or settings.data_dir / "mailbox"
    async with serving(settings.smtp_host, settings.smtp_port, directory):
        await stopped.wait()


if __name__ == "__main__":
    asyncio.run(_run())
