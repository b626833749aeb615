"""The database connection of one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import RefusedError
from models.settings import Settings


def async_url(url: str) -> str:
    """Return a ``postgresql://`` address in the form that the asyncpg driver wants."""
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme.startswith("postgres"):
        raise RefusedError(
            "ZAHLTAG_DATABASE_URL is not set or not a PostgreSQL address; expected"
            " postgresql://user:password@host:port/database."
        )
    return f"postgresql+asyncpg://{rest}"


class Database:
    """A pool of connections; ``transaction`` is the only way to use one."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        # Told "before_commit" and "after_commit" of every transaction; for failpoints only.
        self.watcher: Callable[[str], Awaitable[None]] | None = None

    @classmethod
    def connect(cls, settings: Settings) -> Database:
        """Make the pool; connections are opened when they are needed."""
        url = async_url(settings.database_url.get_secret_value())
        return cls(
            create_async_engine(
                url,
                pool_size=settings.database_pool,
                max_overflow=0,
                hide_parameters=True,  # error texts end up in logs and histories
                connect_args={"timeout": 10, "command_timeout": 60},
            )
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Run a block in one transaction: committed at its end, rolled back by an error."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            yield session
            if self.watcher:
                await self.watcher("before_commit")
        if self.watcher:
            await self.watcher("after_commit")

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
