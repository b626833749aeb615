"""A pool of asyncpg connections that does no more than it has to."""

from __future__ import annotations

import asyncpg


def open_pool(url: str, size: int) -> asyncpg.Pool:
    """Return a pool without the round trip that resets a connection at each return."""
    return asyncpg.create_pool(url, min_size=1, max_size=size, reset=_leave)


async def _leave(_connection: asyncpg.Connection) -> None:
    """Leave the connection as it is: nobody here changes its settings."""
