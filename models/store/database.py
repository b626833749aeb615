"""The database connection of one process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import RefusedError
from models.settings import Settings


def make_engine(url: str, *, command_timeout: float | None = None, **options: Any) -> AsyncEngine:  # noqa: ANN401 - SQLAlchemy's own options
    """Make an engine for a ``postgresql://`` address; RefusedError if it is none.

    asyncpg reads the address itself: it understands ``sslmode``, ``sslrootcert``, several hosts and
    settings of the session, where SQLAlchemy would pass each on as an argument that asyncpg does
    not have. Seconds: 10 to connect, ``command_timeout`` for one statement.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in {"postgresql", "postgres"}:
        raise RefusedError(
            "ZAHLTAG_DATABASE_URL is not set or not a PostgreSQL address; expected"
            " postgresql://user:password@host:port/database."
        )

    async def connect(*_: object, **__: object) -> Any:  # noqa: ANN401 - the driver's connection
        return await asyncpg.connect(url, timeout=10, command_timeout=command_timeout)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)


class Database:
    """A pool of connections; ``transaction`` is the only way to use one."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    @classmethod
    def connect(cls, settings: Settings) -> Database:
        """Make the pool; connections are opened when they are needed."""
        return cls(
            make_engine(
                settings.database_url.get_secret_value(),
                command_timeout=60,
                pool_size=settings.database_pool,
                max_overflow=0,
                hide_parameters=True,  # error texts end up in logs and histories
            )
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Run a block in one transaction: committed at its end, rolled back by an error."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
