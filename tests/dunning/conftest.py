"""A database with random customers, made once: tests of selection change nothing in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest_asyncio

from domain.dunning.rule_file import read_rule
from models.store.database import Database
from models.store.dunning import rules
from starter.stack.throwaway import ThrowawayServer
from tests.conftest import make_settings
from tests.domain.dunning.rules import O1

from .population import AT, TODAY, Person, people, settle


@dataclass(frozen=True, slots=True)
class Town:
    """People and the database that knows them; ``rule_id`` is a rule that some have rejected."""

    database: Database
    people: list[Person]
    rule_id: int


@pytest_asyncio.fixture(scope="session")
async def town(postgres: ThrowawayServer) -> AsyncIterator[Town]:
    """A hundred and twenty people."""
    url = await postgres.database()
    database = Database.connect(make_settings(url, Path("/nonexistent/mailbox")))
    folk = people(120, seed=20260330)
    async with database.transaction() as session:
        await rules.add(session, read_rule(O1), start=TODAY, at=AT, by="admin")
        rule_id = (await rules.get(session, O1["name"])).id
        await settle(session, folk, rule_id)
    yield Town(database, folk, rule_id)
    await database.close()
    await postgres.drop(url)
