"""No request body may be larger than the limit, whatever its headers promise."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# What is still read, and thrown away, of a body that is too large: a sender who is cut off in the
# middle would see a broken connection and not our sentence.
DRAINED = 32 * 1024 * 1024


class BodyLimit:
    """Counts the bytes while they stream in and refuses with 413 what is more than the limit.

    ``by_path``: addresses whose limit is another, because their bodies are streamed to a file.
    """

    def __init__(self, app: ASGIApp, limit: int, by_path: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._by_path = by_path or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app with a ``receive`` that counts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._by_path.get(scope["path"], self._limit)
        promised, seen = _promised(scope), 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit or promised > limit:
                await _drain(message, receive)
                raise HTTPException(413, f"The body is too large: at most {limit} bytes are taken.")
            return message

        await self._app(scope, counted, send)


def _promised(scope: Scope) -> int:
    """Return the length that the headers promise, 0 where they promise none."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


async def _drain(message: Message, receive: Receive) -> None:
    read = 0
    while message["type"] == "http.request" and message.get("more_body") and read < DRAINED:
        message = await receive()
        read += len(message.get("body", b""))
