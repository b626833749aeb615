"""A network that breaks on command: a TCP proxy on loopback in front of one server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from enum import Enum

Address = tuple[str, int]
# With it, closing sends a reset instead of a polite goodbye.
_RESET = struct.pack("ii", 1, 0)


class Verdict(Enum):
    """What becomes of one piece that a client sends, and of its connection."""

    PASS = "pass"
    CUT = "cut"
    """The server never sees it; both sides lose the connection."""
    CUT_AFTER = "cut after"
    """The server sees it and answers; the client loses the connection instead of the answer."""


Judge = Callable[[bytes], Verdict | bytes]


def passes(_piece: bytes) -> Verdict | bytes:
    """Let everything through."""
    return Verdict.PASS


class Proxy:
    """Passes connections on to a server. Every fault lasts until it is taken back.

    ``leave``: connections are reset, new and present ones. ``stall``: nothing moves. ``delay``:
    seconds before each answer. ``judge`` sees each piece that a client sends; bytes that it returns
    are the answer, and the server never hears of it. ``cut`` resets what is connected now.
    """

    def __init__(self, server: Callable[[], Address]) -> None:
        self.away = False
        self.delay = 0.0
        self.judge: Judge = passes
        self._server = server
        self._moving = asyncio.Event()
        self._moving.set()
        self._links: set[_Link] = set()

    def stall(self) -> None:
        """Let nothing move any more."""
        self._moving.clear()

    def leave(self) -> None:
        """Be away, until ``away`` is taken back."""
        self.away = True
        self.cut()

    def cut(self) -> int:
        """Reset every connection; return how many there were."""
        links = list(self._links)
        for link in links:
            link.reset()
        return len(links)

    def heal(self) -> None:
        """Take every fault back."""
        self.away, self.delay, self.judge = False, 0.0, passes
        self._moving.set()

    @contextlib.asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[int]:
        """Take connections on loopback; yields the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(reader, writer)
        self._links.add(link)
        try:
            if not self.away:
                await link.connect(*self._server())
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._ask(link))
                    pumps.create_task(self._answer(link))
        except* (OSError, _CutError):
            pass
        finally:
            link.reset()
            self._links.discard(link)

    async def _ask(self, link: _Link) -> None:
        while piece := await link.client[0].read(65536):
            await self._moving.wait()
            verdict = self.judge(piece)
            if isinstance(verdict, bytes):
                link.client[1].write(verdict)
                continue
            if verdict is Verdict.CUT:
                raise _CutError
            link.last_answer = verdict is Verdict.CUT_AFTER
            link.server[1].write(piece)
            await link.server[1].drain()
        if link.server[1].can_write_eof():
            link.server[1].write_eof()

    async def _answer(self, link: _Link) -> None:
        while piece := await link.server[0].read(65536):
            await self._moving.wait()
            if link.last_answer:
                raise _CutError
            if self.delay:
                await asyncio.sleep(self.delay)
            link.client[1].write(piece)
            await link.client[1].drain()
        raise _CutError


class _CutError(Exception):
    """The connection ends here."""


class _Link:
    """One client, and its connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.client = (reader, writer)
        self.server = (reader, writer)
        self.last_answer = False

    async def connect(self, host: str, port: int) -> None:
        self.server = await asyncio.open_connection(host, port)

    def reset(self) -> None:
        for _, writer in {self.client, self.server}:
            taken = writer.get_extra_info("socket")
            with contextlib.suppress(OSError, ValueError):  # it is closed already
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()


def commits(piece: bytes) -> bool:
    """Whether a piece asks PostgreSQL to commit, as asyncpg does it."""
    return piece.startswith(b"Q") and b"COMMIT;" in piece


def content(piece: bytes) -> bool:
    """Whether a piece is the end of a mail's content."""
    return piece.endswith(b"\r\n.\r\n")


def first(count: int, wanted: Callable[[bytes], bool], verdict: Verdict | bytes) -> Judge:
    """Return a judge of that verdict for the next ``count`` pieces that are wanted."""
    return nth(range(1, count + 1), wanted, verdict)


def nth(numbers: range, wanted: Callable[[bytes], bool], verdict: Verdict | bytes) -> Judge:
    """Return a judge of that verdict for wanted pieces with these numbers, counted from 1."""
    seen = 0

    def judge(piece: bytes) -> Verdict | bytes:
        nonlocal seen
        if not wanted(piece):
            return Verdict.PASS
        seen += 1
        return verdict if seen in numbers else Verdict.PASS

    return judge
