"""The Temporal server of the workflow tests (time skipping), and a house on it for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from domain.company import Company
from models.payloads import data_converter
from models.search_attributes import SEARCH_ATTRIBUTES
from models.settings import Settings
from models.store.database import Database
from starter.stack.temporal import program
from tests.invariants import check
from tests.workflows.clockwork import Clockwork
from tests.workflows.house import House
from tests.workflows.opening import open_house, replay_all

# Newer servers call it system.workflowTimeSkippingEnabled.
TIME_SKIPPING = "frontend.WorkflowTimeSkippingEnabled=true"
# So that continuing as new is really tested: the default suggests it after 4,096 events.
SHORT_HISTORIES = "limit.historyCount.suggestContinueAsNew=60"


@pytest_asyncio.fixture(scope="session")
async def temporal() -> AsyncIterator[WorkflowEnvironment]:
    """One real dev server, whose workflows have clocks of their own that tests move forward."""
    attributes = [f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()]
    settings = [f"--dynamic-config-value={value}" for value in (TIME_SKIPPING, SHORT_HISTORIES)]
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        ts_config=TimeSkippingConfig(enabled=False),
        data_converter=data_converter(Settings(_env_file=None, payload_keys=SecretStr(""))),
        dev_server_existing_path=program(),
        dev_server_log_level="error",
        dev_server_extra_args=[*attributes, *settings],
    )
    async with environment:
        yield environment


@pytest.fixture
def cached_workflows() -> int:
    """How many workflows the worker keeps in memory; with 0 every single step is a replay.

    With a cache they run in the sandbox, which refuses what would not replay, and the house replays
    every history at its end; without one they run as in production. ``CACHED_OR_NOT`` does both.
    """
    return 1000


@pytest.fixture
def client(temporal: WorkflowEnvironment) -> Client:
    """The client of a house and its worker; a module may have another one, with keys."""
    return temporal.client


@pytest.fixture
def asks_nobody() -> bool:
    """Whether the mail server is one that cannot be asked what it has taken."""
    return False


@pytest_asyncio.fixture
async def house(
    client: Client,
    database: Database,
    settings: Settings,
    company: Company,
    cached_workflows: int,
    asks_nobody: bool,  # noqa: FBT001 - a fixture
) -> AsyncIterator[House]:
    """A house whose invariants are checked, and histories replayed, when the test is over."""
    async with open_house(
        client,
        database,
        settings,
        company,
        cached_workflows=cached_workflows,
        sandbox=cached_workflows > 0,
        asks_nobody=asks_nobody,
    ) as opened:
        yield opened
    await replay_all(opened)
    assert settings.mailbox_dir
    letters = settings.mailbox_dir.with_name("letters")
    await check(database, mailbox=settings.mailbox_dir, spool=letters)


@pytest_asyncio.fixture
async def works(
    temporal: WorkflowEnvironment, database: Database, company: Company
) -> AsyncIterator[Clockwork]:
    """Rules and Schedules, none yet."""
    del company
    made = Clockwork(temporal.client, database)
    await made.clear()
    yield made
    await made.clear()
