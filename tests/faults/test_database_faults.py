"""The connection to PostgreSQL breaks in the middle of every activity, and around its commits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from domain.order_case import Step
from models.messages import StepRequest
from models.store import history
from models.store.database import Database
from starter.stack import checks
from tests.activities.test_effects_once import WAYS, counts
from tests.faults.conftest import Servers
from tests.faults.proxy import Verdict, commits

# No activity sends or commits as often as this.
MANY = 100
NOW = datetime(2026, 11, 22, 8, 18, tzinfo=UTC)


@dataclass(frozen=True)
class Fault:
    """At every so-many-th piece that is wanted the connection breaks."""

    name: str
    wanted: Callable[[bytes], bool]
    every: int
    verdict: Verdict


FAULTS = [
    Fault("a commit is lost", commits, 1, Verdict.CUT),
    Fault("the answer to a commit is lost", commits, 1, Verdict.CUT_AFTER),
    Fault("in the middle", bool, 4, Verdict.CUT),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("step", WAYS, ids=str)
async def test_a_step_survives_it_anywhere(servers: Servers, step: Step, fault: Fault) -> None:
    """At the first place, the second ...: one fault a try, until a try ends before its fault.

    In the end each effect is there once, as if nothing had happened.
    """
    request = await servers.next(step, WAYS[step][0])
    broken = 0
    for place in range(1, MANY):
        judge = servers.database.judge = Once(fault, place)
        error = await attempt(servers, request, step)
        if not error and not judge.struck:
            break
        broken += bool(error)
        # Also where nobody was told: what is cut when its work is done keeps its lock for a moment.
        await servers.notices_it()
    servers.database.heal()

    assert broken >= 1
    after = await counts(servers.sound)
    assert await attempt(servers, request, step) == ""
    assert await counts(servers.sound) == after
    assert servers.arrived() == after["outgoing_mail"]


class Once:
    """A judge that breaks one connection, at that place."""

    def __init__(self, fault: Fault, place: int) -> None:
        self.struck = False
        self._fault, self._at, self._seen = fault, place * fault.every, 0

    def __call__(self, piece: bytes) -> Verdict:
        """Count the pieces that are wanted."""
        self._seen += self._fault.wanted(piece)
        if self._seen != self._at or self.struck or not self._fault.wanted(piece):
            return Verdict.PASS
        self.struck = True
        return self._fault.verdict


async def attempt(servers: Servers, request: StepRequest, step: Step) -> str:
    """Try a step; a broken connection is the only error it may end with."""
    try:
        await servers.driver.activity(step)(request)
    except (DBAPIError, OSError) as error:
        if isinstance(error, IntegrityError):
            raise
        return type(error).__name__
    return ""


async def test_the_doctor_says_that_the_database_is_away(servers: Servers) -> None:
    """And what to do."""
    servers.database.leave()

    (found,) = await checks.check_database(servers.settings)

    assert not found.ok
    assert "cannot be reached" in found.finding
    assert "zahltag up" in found.remedy
    servers.database.heal()


async def test_a_begin_that_is_broken_off_takes_nothing_with_it(servers: Servers) -> None:
    """Whoever gets that connection next really commits: make chaos saw a mail's state vanish."""
    own = servers.settings.model_copy(update={"database_pool": 1})
    database = Database.connect(own)
    for pause in (0.0, 0.01, 0.05, 0.2):
        async with database.transaction() as session:
            await session.execute(text("select 1"))
        servers.database.delay = pause
        begun = asyncio.create_task(_note(database, "never"))
        await asyncio.sleep(pause / 2)
        begun.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await begun
        servers.database.heal()
        await _note(database, f"after {pause}")
    await database.close()
    async with servers.sound.engine.connect() as connection:
        found = await connection.execute(text("select actor from history where event = 'tested'"))
        assert [row for row in found.scalars() if row != "never"] == [
            f"after {pause}" for pause in (0.0, 0.01, 0.05, 0.2)
        ]


async def _note(database: Database, actor: str) -> None:
    async with database.transaction() as session:
        history.note(session, "case", NOW, "tested", "written", actor)
