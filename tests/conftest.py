"""What all tests share: a PostgreSQL with the schema, and a database of its own for each test."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_asyncio
import uvloop
import yaml
from cryptography.fernet import Fernet
from pydantic import SecretStr

from domain.company import Company
from models.codec import load_company
from models.settings import Settings
from models.store import company as companies
from models.store.database import Database
from starter.stack import migrate
from starter.stack.throwaway import ThrowawayServer, throwaway_postgres
from tests.crm_server import Crm, Front, serving
from tests.databases import Place, Places

# The same examples in every run: an unlucky draw fails no change that has nothing to do with it.
# ``ZAHLTAG_RANDOM=1 make test`` looks for more.
hypothesis.settings.register_profile("repeatable", derandomize=True)
if not os.environ.get("ZAHLTAG_RANDOM"):
    hypothesis.settings.load_profile("repeatable")

# Nothing that is loaded becomes garbage: to look for it is a quarter of the time to the first test.
gc.disable()

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"
NO_MAILBOX = Path("/nonexistent/mailbox")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that wait for processes: others have their time meanwhile."""
    items.sort(key=lambda item: ("crash" not in item.keywords, "stack" not in item.keywords))


def pytest_collection_finish() -> None:
    """Collect garbage from now on, but not among what is loaded."""
    gc.freeze()
    gc.enable()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on the loop that our processes run on."""
    return {"uvloop": make_loop}


def make_loop() -> asyncio.AbstractEventLoop:
    """Make the loop of a run."""
    loop = uvloop.new_event_loop()
    loop.set_exception_handler(stop_at_time_out)
    return loop


def stop_at_time_out(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Let a test fail that takes too long: uvloop takes what pytest-timeout raises for a slip."""
    if isinstance(context.get("exception"), pytest.fail.Exception):
        loop.stop()
    loop.default_exception_handler(context)


def make_settings(url: str, mailbox: Path) -> Settings:
    """Return settings for a database, free of what the environment or a .env file says."""
    return Settings(
        _env_file=None,
        data_dir=mailbox.parent,
        database_url=SecretStr(url),
        api_token=SecretStr("token-of-the-tests"),
        secret_key=SecretStr(Fernet.generate_key().decode()),
        mailbox_dir=mailbox,
    )


@pytest_asyncio.fixture(scope="session")
async def postgres() -> AsyncIterator[ThrowawayServer]:
    """One server for the whole run; its template has every migration applied."""

    async def build(url: str) -> None:
        await migrate.upgrade(make_settings(url, NO_MAILBOX))

    async with throwaway_postgres() as server:
        await server.template(build)
        yield server


@pytest_asyncio.fixture(scope="session")
async def places(postgres: ThrowawayServer) -> AsyncIterator[Places]:
    """Databases of that server for one test after the other."""
    made = Places(postgres, lambda url: Database.connect(make_settings(url, NO_MAILBOX)))
    yield made
    await made.close()


@pytest_asyncio.fixture
async def place(places: Places) -> AsyncIterator[Place]:
    """An empty database of the test's own."""
    taken = await places.take()
    yield taken
    await places.give_back(taken)


@pytest.fixture
def settings(place: Place, tmp_path: Path) -> Settings:
    """Settings with an empty database of the test's own, and an empty mailbox folder."""
    mailbox = tmp_path / "mailbox"
    mailbox.mkdir()
    return make_settings(place.url, mailbox)


@pytest.fixture
def database(place: Place) -> Database:
    """A pool of connections to the test's own, empty database."""
    return place.database


@pytest_asyncio.fixture(scope="session")
async def crm_front() -> AsyncIterator[Front]:
    """One server for the CRMs of all tests."""
    async with serving() as front:
        yield front


@pytest.fixture
def crm(crm_front: Front) -> Crm:
    """An empty CRM that answers like HubSpot and Pipedrive."""
    return crm_front.empty()


@cache
def _sample_company() -> Company:
    return load_company(yaml.safe_load((SAMPLES / "company.yaml").read_text(encoding="utf-8")))


@pytest_asyncio.fixture
async def company(database: Database) -> Company:
    """The sample company, set in the test's database."""
    loaded = _sample_company()
    async with database.transaction() as session:
        await companies.put(session, loaded, at=datetime.now(UTC), by="tests")
    return loaded
