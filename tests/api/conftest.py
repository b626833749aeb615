"""The API in front of a real database; Temporal is a small fake, the worker's steps are run here."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text
from standardwebhooks.webhooks import Webhook
from temporalio.client import Client

from activities.services import Services
from connectors.mail import Acceptance
from domain.company import Company
from domain.order_case import Step
from models.messages import Command, Progress, StepRequest
from models.settings import Settings
from models.store import cases, channels
from models.store.database import Database
from models.vault import Vault
from starter import cli as command_line
from starter.api.app import make_app
from starter.first_start import prepare
from worker import activities_of

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "orders"
JUST_NOW = "2026-11-16T10:02:11+01:00"


@dataclass
class FakeTemporal:
    """Answers updates like a worker would, or is away; remembers what it was asked.

    ``idle``: it answers, and no worker does.
    """

    away: bool = False
    idle: bool = False
    updates: list[tuple[str, str, Command]] = field(default_factory=list)

    async def connect(self) -> Client:
        """Stand in for the function that gives a connected client."""
        if self.away:
            raise RuntimeError("Failed client connect: nobody is there")
        return cast("Client", self)

    @property
    def service_client(self) -> Any:
        """Return something with ``check_health``."""

        async def check_health(timeout: timedelta) -> bool:  # noqa: ASYNC109 - as in the SDK
            del timeout
            return True

        return SimpleNamespace(check_health=check_health)

    def get_workflow_handle(self, case_id: str) -> Any:
        """Return something with ``execute_update``."""

        async def execute_update(name: str, command: Command, **options: Any) -> None:
            assert options["id"] == command.id
            if self.idle:
                await asyncio.sleep(60)
            self.updates.append((case_id, name, command))

        return SimpleNamespace(execute_update=execute_update)


class FakeMailer:
    """Takes every mail."""

    async def send(self, message: EmailMessage) -> None:
        """Take it."""

    async def accepted(self, message_id: str) -> Acceptance:
        """Say that it is not known."""
        del message_id
        return Acceptance.UNKNOWN


@dataclass
class Api:
    """What a test holds: the client (as admin), and what stands behind the API."""

    http: httpx.AsyncClient
    database: Database
    settings: Settings
    temporal: FakeTemporal

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call the API."""
        return await self.http.request(method, path, **options)

    async def get(self, path: str, user: str = "admin") -> Any:
        """Read something that is there."""
        found = await self.http.get(path, headers={"X-Zahltag-User": user})
        assert found.status_code == 200, found.text
        return found.json()

    async def post(self, path: str, body: Any = None, user: str = "admin") -> httpx.Response:
        """Send a command."""
        return await self.http.post(path, json=body, headers={"X-Zahltag-User": user})

    async def submit(self, document: dict[str, Any], source: str = "zahltag") -> httpx.Response:
        """Submit an order as a person does."""
        content = json.dumps(document)
        return await self.http.post(f"/api/orders?source={source}", content=content)

    async def secret(self, channel: str) -> str:
        """Return a channel's secret."""
        async with self.database.transaction() as session:
            return Vault(self.settings).open((await channels.get(session, channel)).secret)

    async def webhook(
        self, channel: str, document: Any, *, event: str = "", sent: datetime | None = None
    ) -> httpx.Response:
        """Send a document signed as Standard Webhooks says, without the API's token."""
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        event = event or hashlib.sha256(body).hexdigest()
        sent = sent or datetime.now(UTC)
        signature = Webhook(await self.secret(channel)).sign(event, sent, body.decode())
        headers = {
            "webhook-id": event,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": signature,
            "authorization": "",
        }
        return await self.http.post(f"/webhooks/{channel}", content=body, headers=headers)

    async def counts(self) -> dict[str, int]:
        """Count the rows of every table: what must not change when something is refused."""
        async with self.database.transaction() as session:
            names = await session.execute(
                text("select table_name from information_schema.tables where table_schema='public'")
            )
            counts = [f"select '{name}', count(*) from {name}" for name in names.scalars()]  # noqa: S608
            return dict((await session.execute(text(" union all ".join(counts)))).all())

    async def work(self, case_id: str) -> Progress:
        """Run the steps of a case as the workflow would, until it waits or ends."""
        services = Services(self.database, FakeMailer(), self.settings)
        run = {activity.__name__: activity for activity in activities_of(services)}
        async with self.database.transaction() as session:
            progress = await cases.refresh(session, case_id, datetime.now(UTC))
        while progress.plan.step not in {Step.WAIT, Step.END}:
            plan = progress.plan
            request = StepRequest(
                key=f"{case_id}:{plan.step}.{plan.mail or plan.task or ''}:{plan.cause}",
                case_id=case_id,
                cause=plan.cause,
                at=datetime.now(UTC),
                mail=plan.mail,
                task=plan.task,
            )
            progress = await run[plan.step](request)
        return progress


@pytest.fixture
def temporal() -> FakeTemporal:
    """A Temporal that answers."""
    return FakeTemporal()


@pytest.fixture
def app(settings: Settings, database: Database, temporal: FakeTemporal) -> FastAPI:
    """The application."""
    return make_app(settings, database, temporal.connect)


@pytest_asyncio.fixture
async def api(
    app: FastAPI, company: Company, settings: Settings, database: Database, temporal: FakeTemporal
) -> AsyncIterator[Api]:
    """The API of an installation with its company and its first channels."""
    del company
    await prepare(database, settings, datetime.now(UTC))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    token = settings.api_token.get_secret_value()
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://test",
        headers={"Authorization": f"Bearer {token}"},
    ) as http:
        yield Api(http, database, settings, temporal)


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its output, which must be one JSON value and nothing else."""
        return json.loads(self.out)

    def refused(self, words: str) -> None:
        """Check that it was refused as it should be: one sentence, exit 1, nothing on stdout."""
        assert (self.code, self.out) == (1, ""), self
        assert words in self.err
        assert "Traceback" not in self.err
        assert self.err.splitlines()[0].endswith(".")


Cli = Callable[..., Awaitable[Ran]]


def _run(arguments: tuple[str, ...]) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    code = 0
    # Each command is a process of its own elsewhere, and registers what it needs anew.
    command_line.app.registered_groups.clear()
    command_line.app.registered_commands.clear()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        sys.argv = ["zahltag", *arguments]
        try:
            command_line.main()
        except SystemExit as leave:
            code = int(leave.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


@pytest_asyncio.fixture
async def zahltag(
    api: Api, app: FastAPI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Cli]:
    """The command, with the API served on a port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve([listener]))
    monkeypatch.setenv("ZAHLTAG_API_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
    monkeypatch.setenv("ZAHLTAG_API_TOKEN", api.settings.api_token.get_secret_value())
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.chdir(tmp_path)

    async def run(*arguments: object) -> Ran:
        return await asyncio.to_thread(_run, tuple(str(one) for one in arguments))

    yield run
    server.should_exit = True
    await serving


@pytest.fixture
def good_order() -> dict[str, Any]:
    """The plain good order of our own format: 119.00 EUR on account."""
    return sample("zahltag-ok")


def sample(name: str) -> dict[str, Any]:
    """Read a sample order."""
    found: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def one_sentence(answer: httpx.Response) -> str:
    """Return the refusal's sentence; every refusal has the same shape."""
    body = answer.json()
    assert set(body) == {"error", "problems"}
    assert "\n" not in body["error"]
    assert body["error"][-1] == "."
    return str(body["error"])
