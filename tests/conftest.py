"""What all tests share: a PostgreSQL with the schema, and a database of its own for each test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import hypothesis
import pytest
import pytest_asyncio
import yaml
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlmodel import SQLModel

from domain.company import Company
from models.codec import load_company
from models.settings import Settings
from models.store import company as companies
from models.store.database import Database
from starter.stack import migrate
from starter.stack.throwaway import ThrowawayServer, throwaway_postgres
from tests.crm_server import Crm, Front, serving

# The same examples in every run: an unlucky draw fails no change that has nothing to do with it.
# ``ZAHLTAG_RANDOM=1 make test`` looks for more.
hypothesis.settings.register_profile("repeatable", derandomize=True)
if not os.environ.get("ZAHLTAG_RANDOM"):
    hypothesis.settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parent.parent
SAMPLES = ROOT / "samples"


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
        await migrate.upgrade(make_settings(url, Path("/nonexistent/mailbox")))

    async with throwaway_postgres() as server:
        await server.template(build)
        yield server


# Databases that are empty again and wait for the next test: ten times faster than a new copy.
_free: list[str] = []

_EMPTY = """
do $$ declare one record; begin
  set local session_replication_role = replica;  -- past the guards of what is append-only
  perform pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid();
  for one in select tablename as name from pg_tables
             where schemaname = 'public' and tablename <> 'alembic_version' loop
    execute format('delete from %I', one.name);
  end loop;
  perform setval(sequencename::regclass, start_value, false) from pg_sequences
    where schemaname = 'public';
end $$"""


async def _empty(url: str) -> bool:
    """Make a used database as good as new; False if the test has broken its schema."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetchval(_TABLES)
        await connection.execute(_EMPTY)
    finally:
        await connection.close()
    return bool(tables == len(SQLModel.metadata.tables))


_TABLES = (
    "select count(*) from pg_tables where schemaname = 'public' and tablename <> 'alembic_version'"
)


@pytest_asyncio.fixture
async def settings(postgres: ThrowawayServer, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings with an empty database of the test's own, and an empty mailbox folder."""
    mailbox = tmp_path / "mailbox"
    mailbox.mkdir()
    url = _free.pop() if _free else await postgres.database()
    yield make_settings(url, mailbox)
    if await _empty(url):
        _free.append(url)
    else:
        await postgres.drop(url)


@pytest_asyncio.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """A pool of connections to the test's own, empty database."""
    made = Database.connect(settings)
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="session")
async def crm_front() -> AsyncIterator[Front]:
    """One server for the CRMs of all tests."""
    async with serving() as front:
        yield front


@pytest.fixture
def crm(crm_front: Front) -> Crm:
    """An empty CRM that answers like HubSpot and Pipedrive."""
    return crm_front.empty()


@pytest_asyncio.fixture
async def company(database: Database) -> Company:
    """The sample company, set in the test's database."""
    loaded = load_company(yaml.safe_load((SAMPLES / "company.yaml").read_text(encoding="utf-8")))
    async with database.transaction() as session:
        await companies.put(session, loaded, at=datetime.now(UTC), by="tests")
    return loaded
