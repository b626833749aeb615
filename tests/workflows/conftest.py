"""The Temporal server of the workflow tests (time skipping), and a house on it for each test."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from activities.services import Services
from connectors.mail import SmtpMailer
from domain.company import Company
from models.search_attributes import SEARCH_ATTRIBUTES
from models.settings import Settings
from models.store.database import Database
from starter.dispatcher import Dispatcher
from starter.stack import mailbox
from starter.stack.temporal import program
from tests.faults.proxy import Proxy
from tests.invariants import check
from tests.workflows.house import House
from worker import make_worker

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
        data_converter=pydantic_data_converter,
        dev_server_existing_path=program(),
        dev_server_log_level="error",
        dev_server_extra_args=[*attributes, *settings],
    )
    async with environment:
        yield environment


@pytest.fixture(params=[1000, 0], ids=["cached", "replaying"])
def cached_workflows(request: pytest.FixtureRequest) -> int:
    """Run a test with the workflow cache, and with a replay at every single step."""
    return int(request.param)


@pytest_asyncio.fixture
async def house(
    temporal: WorkflowEnvironment,
    database: Database,
    settings: Settings,
    company: Company,
    cached_workflows: int,
) -> AsyncIterator[House]:
    """A house whose invariants are checked when the test is over."""
    assert settings.mailbox_dir
    queue = f"tests-{uuid.uuid4()}"
    refuses, away = {"refused@brandt-soehne.example"}, asyncio.Event()

    class Moody(mailbox.Handler):
        """A mail server that does not know everybody, and is not always there."""

        async def handle_RCPT(  # noqa: N802 - aiosmtpd finds the hook by this name
            self, _server: SMTP, _session: Session, envelope: Envelope, to: str, _options: list[str]
        ) -> str:
            if away.is_set():
                return "451 4.3.0 Come back later"
            if to in refuses:
                return f"550 5.1.1 <{to}> is unknown here"
            envelope.rcpt_tos.append(to)
            return "250 2.1.5 OK"

    async with (
        mailbox.serving("127.0.0.1", 0, settings.mailbox_dir, Moody) as server,
        (post := Proxy(lambda: ("127.0.0.1", server))).listening() as port,
    ):
        own = settings.model_copy(update={"smtp_port": port, "task_queue": queue})
        mailer = SmtpMailer(own)
        services = Services(database, mailer, own)
        logging.getLogger("temporalio").setLevel(logging.ERROR)
        async with make_worker(temporal.client, services, cached_workflows=cached_workflows):
            dispatcher = Dispatcher(database, temporal.client, queue)
            wake, stop = asyncio.Event(), asyncio.Event()
            running = asyncio.create_task(dispatcher.run(wake, stop))
            channel = f"t{uuid.uuid4().hex[:8]}"
            yield House(
                database,
                own,
                company,
                temporal.client,
                dispatcher,
                wake,
                channel,
                refuses,
                away,
                post,
            )
            stop.set()
            wake.set()
            await running
        await mailer.aclose()
    await check(database, mailbox=settings.mailbox_dir)
