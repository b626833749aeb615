"""The database connection of one process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import asyncpg
from asyncpg.exceptions import InternalClientError
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import RefusedError
from models.settings import Settings
from models.store import sql

# A statement is planned once per connection: its plan never depends on the values here, and
# planning the facts of a case anew takes ten times as long as reading them.
_SERVER_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    # What is read is in memory or on an SSD. By the default, made for turning disks, a table that
    # was small when a statement was planned is read whole by every later run, too.
    "random_page_cost": "1.1",
}
Watcher = Callable[[str], Awaitable[None]]
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)
_LOCK = "select pg_try_advisory_lock(hashtextextended($1, 0))"
_UNLOCK = "select pg_advisory_unlock(hashtextextended($1, 0))"


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
        return await asyncpg.connect(
            url, timeout=10, command_timeout=command_timeout, server_settings=_SERVER_SETTINGS
        )

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)


class Connection:
    """One connection of the pool: for transactions, or for a statement that is one by itself."""

    def __init__(
        self, shared: AsyncConnection, driver: asyncpg.Connection, watcher: Watcher | None
    ) -> None:
        self._shared = shared
        self._driver = driver
        self._watcher = watcher

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Run a block in one transaction: committed at its end, rolled back by an error.

        The transaction is the driver's, so that statements can run without the ORM; the session
        joins it. ConnectionError where the database went away.
        """
        with self._outages_named():
            async with (
                self._whole(),
                AsyncSession(self._shared, expire_on_commit=False) as session,
            ):
                sql.use(session, self._driver)
                yield session
                await sql.finish(session)
                if self._watcher:
                    await self._watcher("before_commit")
        if self._watcher:
            await self._watcher("after_commit")

    async def at_once(self, statement: sql.Statement, values: Mapping[str, Any]) -> list[sql.Row]:
        """Run one statement, a transaction of its own: no begin and no commit to wait for."""
        with self._outages_named():
            return await statement.on(self._driver, values)

    @contextmanager
    def _outages_named(self) -> Iterator[None]:
        """Raise ConnectionError where the database went away."""
        try:
            yield
        except _AWAY as error:
            raise ConnectionError("the database went away") from error
        except (asyncpg.PostgresError, asyncpg.InterfaceError, InternalClientError) as error:
            # The driver may lose its footing when the connection dies in the middle of an answer.
            if self._driver.is_closed() or isinstance(error, InternalClientError):
                self._driver.terminate()
                raise ConnectionError("the database went away") from error
            raise

    @asynccontextmanager
    async def _whole(self) -> AsyncIterator[None]:
        """Begin a transaction and end it; a connection on which either is in doubt is dropped.

        If a BEGIN is broken off, the driver takes what comes next for a part of that transaction:
        savepoints, never committed, and everybody believes that they were.
        """
        transaction, ended = self._driver.transaction(), False
        try:
            await transaction.start()
            try:
                yield
            except BaseException:
                await transaction.rollback()
                ended = True
                raise
            await transaction.commit()
            ended = not self._driver.is_in_transaction()
            if not ended:
                raise ConnectionError("the transaction was not committed")
        finally:
            if not ended:
                self._driver.terminate()

    async def try_lock(self, name: str) -> bool:
        """Take a lock that outlives transactions, unless another connection has it."""
        try:
            return bool(await self._driver.fetchval(_LOCK, name))
        except BaseException:  # nobody knows whether it was taken
            self._driver.terminate()
            raise

    async def unlock(self, name: str) -> None:
        """Give the lock back; a connection that cannot is dropped, and its locks with it."""
        free = False
        try:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                free = await self._driver.fetchval(_UNLOCK, name)
        finally:
            if not free:
                self._driver.terminate()


@asynccontextmanager
async def joined(connection: AsyncConnection) -> AsyncIterator[AsyncSession]:
    """Give a session inside a transaction that somebody else has begun and will end."""
    driver = (await connection.get_raw_connection()).driver_connection
    joining = AsyncSession(
        connection, join_transaction_mode="create_savepoint", expire_on_commit=False
    )
    async with joining as session:
        sql.use(session, driver)
        yield session
        await sql.finish(session)


class Database:
    """A pool of connections; nobody uses one but in a transaction."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
        # Told "before_commit" and "after_commit" of transactions of blocks; for failpoints only.
        self.watcher: Watcher | None = None

    @classmethod
    def connect(cls, settings: Settings) -> Database:
        """Make the pool; connections are opened when they are needed."""
        return cls(
            make_engine(
                settings.database_url.get_secret_value(),
                command_timeout=60,
                pool_size=settings.database_pool,
                max_overflow=0,
                # Transactions are the driver's; set once, this costs nothing at each checkout.
                isolation_level="AUTOCOMMIT",
                pool_use_lifo=True,  # few connections that know their statements, not many
                hide_parameters=True,  # error texts end up in logs and histories
            )
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Run a block in one transaction: committed at its end, rolled back by an error."""
        async with self._connection() as connection, connection.transaction() as session:
            yield session

    async def at_once(self, statement: sql.Statement, **values: Any) -> list[sql.Row]:  # noqa: ANN401
        """Run one statement by itself; what it writes is committed when this returns."""
        async with self._connection() as connection:
            return await connection.at_once(statement, values)

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[Connection | None]:
        """Give a connection to whoever has that name alone, for any number of transactions.

        None where somebody else has it. Whatever happens, the name is free again afterwards: the
        database frees it with the connection of a dead worker.
        """
        async with self._connection() as connection:
            if not await connection.try_lock(name):
                yield None
                return
            try:
                yield connection
            finally:
                await connection.unlock(name)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        async with self.engine.connect() as shared:
            driver: asyncpg.Connection = (await shared.get_raw_connection()).driver_connection
            try:
                yield Connection(shared, driver, self.watcher)
            finally:
                if (
                    not driver.is_closed() and driver.is_in_transaction()
                ):  # its end was broken off: nobody may inherit it
                    driver.terminate()

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


def _refuse_closed(adapted: Any, _record: Any, _proxy: Any) -> None:  # noqa: ANN401
    """Let the pool open another connection where the server has closed this one meanwhile."""
    if adapted.driver_connection.is_closed():
        raise DisconnectionError
