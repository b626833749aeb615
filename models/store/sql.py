"""Statements of the hot path: written once as SQL, run by the driver, without the ORM.

A step of a case costs mostly what its statements cost. The ORM builds, keys and unpacks each anew,
which takes ten times as long as running it; so what every order passes through is SQL here, and
tables stay objects where they are read for themselves. Both run in the same transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import Dialect, text
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlmodel.ext.asyncio.session import AsyncSession

Row = Mapping[str, Any]
_DRIVER = "driver"
_LATER = "later"
_DIALECT: Dialect = dialect()  # type: ignore[no-untyped-call]


class Statement:
    r"""One SQL text with ``:names``; a colon that begins none is written as ``\:``.

    The driver prepares it once per connection.
    """

    def __init__(self, sql: str) -> None:
        compiled = text(sql).compile(dialect=_DIALECT)
        self._sql = str(compiled)
        self._names: tuple[str, ...] = tuple(getattr(compiled, "positiontup", None) or ())

    async def rows(self, session: AsyncSession, **values: Any) -> list[Row]:  # noqa: ANN401
        """Run it and return every row."""
        return await self.on(await _connection(session), values)

    async def on(self, connection: asyncpg.Connection, values: Mapping[str, Any]) -> list[Row]:
        """Run it on a connection of the driver's and return every row."""
        found: list[Row] = await connection.fetch(self._sql, *self._arguments(values))
        return found

    async def row(self, session: AsyncSession, **values: Any) -> Row | None:  # noqa: ANN401
        """Run it and return its only row, or None where there is none."""
        rows = await self.rows(session, **values)
        return rows[0] if rows else None

    async def one(self, session: AsyncSession, **values: Any) -> Row:  # noqa: ANN401
        """Run it and return the row that has to be there; LookupError if it is not."""
        row = await self.row(session, **values)
        if row is None:
            raise LookupError("a statement that always finds a row found none")
        return row

    async def value(self, session: AsyncSession, **values: Any) -> Any:  # noqa: ANN401
        """Run it and return the first column of its only row, or None."""
        row = await self.row(session, **values)
        return next(iter(row.values())) if row is not None else None

    async def run(self, session: AsyncSession, **values: Any) -> None:  # noqa: ANN401
        """Run it for its effect."""
        await self.rows(session, **values)

    def at_the_end(self, session: AsyncSession, **values: Any) -> None:  # noqa: ANN401
        """Run it when the transaction ends, together with others of its kind, in their order."""
        late: dict[Statement, list[tuple[Any, ...]]] = session.info.setdefault(_LATER, {})
        late.setdefault(self, []).append(self._arguments(values))

    async def _run_many(self, connection: asyncpg.Connection, many: list[tuple[Any, ...]]) -> None:
        if len(many) == 1:
            await connection.fetch(self._sql, *many[0])
        else:
            await connection.executemany(self._sql, many)

    def _arguments(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(_plain(values[name]) for name in self._names)


def use(session: AsyncSession, connection: asyncpg.Connection) -> None:
    """Let a session's statements run on the driver's connection that the session itself has."""
    session.info[_DRIVER] = connection


async def finish(session: AsyncSession) -> None:
    """Write what was left for the end: the session's objects, then late statements."""
    if session.in_transaction():
        await session.commit()  # of the session: the transaction itself is the driver's
    late: dict[Statement, list[tuple[Any, ...]]] = session.info.pop(_LATER, {})
    for statement, many in late.items():
        await statement._run_many(session.info[_DRIVER], many)  # noqa: SLF001 - our own


async def _connection(session: AsyncSession) -> asyncpg.Connection:
    """Return the driver's connection; what the session holds back is written first."""
    if session.in_transaction():  # else the ORM has not been used
        await session.flush()
    connection: asyncpg.Connection = session.info[_DRIVER]
    return connection


def _plain(value: Any) -> Any:  # noqa: ANN401
    return json.dumps(value) if isinstance(value, dict) else value
