"""Opens a house: worker, dispatcher and a mail server, on a database and a Temporal server."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from pydantic import SecretStr
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.runtime import Runtime
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from activities.failpoints import Points
from activities.metrics import CountingMailer
from activities.services import Services
from connectors.letter_spool import LetterSpool
from connectors.mail import SmtpMailer
from domain.company import Company
from models.payloads import data_converter
from models.settings import Settings
from models.store.database import Database
from starter.dispatcher import Dispatcher
from starter.stack import mailbox
from tests.faults.proxy import Proxy
from tests.workflows.house import House
from worker import WORKFLOWS, make_worker


@asynccontextmanager
async def open_house(
    client: Client,
    database: Database,
    settings: Settings,
    company: Company,
    *,
    cached_workflows: int = 1000,
    queue: str = "",
    channel: str = "",
    meter: MetricMeter = MetricMeter.noop,
    points: Points | None = None,
    sandbox: bool = True,
    together: bool = True,
    asks_nobody: bool = False,
) -> AsyncIterator[House]:
    """Run everything until the block ends; another house with its queue and channel goes on.

    ``asks_nobody``: the worker sees a plain mail server, which cannot tell what it has taken.
    """
    assert settings.mailbox_dir
    queue = queue or f"tests-{uuid.uuid4()}"
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
        letters = settings.mailbox_dir.with_name("letters")
        letters.mkdir(exist_ok=True)
        own = settings.model_copy(
            update={"smtp_port": port, "task_queue": queue, "letter_spool_dir": letters}
        )
        seen = own.model_copy(update={"mailbox_dir": None}) if asks_nobody else own
        mailer = SmtpMailer(seen)
        services = Services(
            database,
            CountingMailer(mailer, meter),
            seen,
            LetterSpool(own.letter_spool_dir),
            together=together,
        )
        logging.getLogger("temporalio").setLevel(logging.ERROR)
        async with make_worker(
            client,
            services,
            cached_workflows=cached_workflows,
            meter=meter,
            points=points,
            sandbox=sandbox,
        ):
            dispatcher = Dispatcher(database, client, queue)
            wake, stop = asyncio.Event(), asyncio.Event()
            running = asyncio.create_task(dispatcher.run(wake, stop))
            channel = channel or f"t{uuid.uuid4().hex[:8]}"
            yield House(
                database, own, company, client, dispatcher, wake, channel, refuses, away, post
            )
            stop.set()
            wake.set()
            await running
        await mailer.aclose()


_WORKED_ON = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
CACHED_OR_NOT = pytest.mark.parametrize("cached_workflows", [1000, 0], ids=["cached", "replaying"])


async def replay_all(house: House) -> int:
    """Replay every history of the house, as a worker would that has just been started; count them.

    To run without a cache shows the same at every step, and takes its time: many workflows at once
    put each other's local activities out, which Temporal gives out again ten seconds later.
    """
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=house.client.data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    replayed = 0
    async for one in house.client.list_workflows(f"TaskQueue = '{house.settings.task_queue}'"):
        handle = house.client.get_workflow_handle(one.id, run_id=one.run_id)
        history = await handle.fetch_history()
        # A run that nobody has worked on yet has nothing to replay, and the SDK waits for it.
        if any(event.event_type == _WORKED_ON for event in history.events):
            await replayer.replay_workflow(history)
            replayed += 1
    return replayed


async def client_with(
    temporal: WorkflowEnvironment, keys: str, runtime: Runtime | None = None
) -> Client:
    """Connect to the same server with payload keys of one's own, and with metrics."""
    return await Client.connect(
        temporal.client.service_client.config.target_host,
        namespace=temporal.client.namespace,
        data_converter=data_converter(Settings(_env_file=None, payload_keys=SecretStr(keys))),
        runtime=runtime,
    )
