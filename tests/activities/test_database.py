"""One transaction for statements and objects, and connections that never carry anything over."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlmodel import select

from models.store import history
from models.store.database import Database
from models.store.sql import Statement
from models.tables import Channel, History

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
COUNT = Statement("select count(*) from channel where name = :name")
INSERT = Statement("insert into channel values (:name, 'zahltag', '', :at)")
BACKEND = Statement("select pg_backend_pid()")
DISCONNECT = Statement("select pg_terminate_backend(:pid, 5000)")


class BrokenOffError(Exception):
    """Something goes wrong in the middle."""


def channel(name: str) -> Channel:
    """Return a channel."""
    return Channel(name=name, source="zahltag", secret="", created_at=NOW)


async def test_statements_and_objects_see_each_other(database: Database) -> None:
    """What the session holds back is written before a statement runs, and both commit."""
    async with database.transaction() as session:
        session.add(channel("object"))
        assert await COUNT.value(session, name="object") == 1
        await INSERT.run(session, name="statement", at=NOW)
        assert set(await session.exec(select(Channel.name))) == {"object", "statement"}
        session.add(channel("late"))
    async with database.transaction() as session:
        assert [await COUNT.value(session, name=n) for n in ("object", "statement", "late")] == [
            1,
            1,
            1,
        ]


async def test_an_error_undoes_both(database: Database) -> None:
    """Nothing of a transaction that failed stays, and its connection goes on."""

    async def broken_off() -> None:
        async with database.transaction() as session:
            session.add(channel("object"))
            await INSERT.run(session, name="statement", at=NOW)
            history.note(session, "case", NOW, "tested", "never written")
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        await broken_off()

    async with database.transaction() as session:
        assert list(await session.exec(select(Channel.name))) == []
        assert list(await session.exec(select(History.id))) == []


async def test_the_history_keeps_its_order(database: Database) -> None:
    """Lines are written at the end of the transaction, in the order in which they were noted."""
    async with database.transaction() as session:
        for number in range(3):
            history.note(session, "case", NOW, "tested", str(number), number=number)
    async with database.transaction() as session:
        lines = await history.of_case(session, "case")
    assert [(line.text, line.detail) for line in lines] == [
        (str(number), {"number": number}) for number in range(3)
    ]


async def test_a_connection_that_was_closed_is_replaced(database: Database) -> None:
    """A database that goes away is said so, and what comes next gets another connection."""
    killed = []

    async def cut_off() -> None:
        async with database.transaction() as session:
            killed.append(await BACKEND.value(session))
            async with database.transaction() as other:
                await DISCONNECT.run(other, pid=killed[0])
            await COUNT.value(session, name="any")

    with pytest.raises(ConnectionError, match="went away"):
        await cut_off()

    async with database.transaction() as session:
        idle = await BACKEND.value(session)
        async with database.transaction() as other:
            assert await BACKEND.value(other) not in {*killed, idle}


async def test_one_alone_has_a_name(database: Database) -> None:
    """Whoever comes meanwhile is told so; the name is free again after an error too."""

    async def broken_off() -> None:
        async with database.alone("mail") as connection:
            assert connection is not None
            async with database.alone("mail") as second, database.alone("other") as third:
                assert (second, third is None) == (None, False)
            async with connection.transaction() as session:
                await INSERT.run(session, name="kept", at=NOW)
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        await broken_off()

    async with database.alone("mail") as connection:
        assert connection is not None
        async with connection.transaction() as session:
            assert await COUNT.value(session, name="kept") == 1
