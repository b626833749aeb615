"""The `temporal` program reads an encrypted case through the codec server, and only so."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
import uvicorn
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from models.payload_keys import new_payload_key
from models.settings import Settings
from starter.api.__main__ import _Server
from starter.api.app import make_app
from starter.stack.ports import free_port
from starter.stack.temporal import program
from tests.workflows.house import House, eventually
from tests.workflows.opening import client_with

KEY = str(new_payload_key("k1"))


@pytest_asyncio.fixture
async def client(temporal: WorkflowEnvironment) -> Client:
    """The house encrypts."""
    return await client_with(temporal, KEY)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """So does the API."""
    return settings.model_copy(update={"payload_keys": SecretStr(KEY)})


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[str]:
    """Run the API on loopback; yields its address."""

    async def connected() -> Client:
        return house.client

    port = free_port()
    app = make_app(house.settings, house.database, connected)
    server = _Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    running = asyncio.create_task(server.serve())

    async def started() -> bool | None:
        return server.started or None

    await eventually(started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await running


async def test_the_temporal_program_reads_a_case_with_the_token(house: House) -> None:
    """History, current details and a decision typed there; without the token all stays sealed."""
    case_id = await house.submit("zahltag-risk")
    await house.reaches(case_id, "needs_approval")
    address = house.client.service_client.config.target_host
    token = house.settings.api_token.get_secret_value()

    async def temporal(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(program(), "workflow", *words, "--workflow-id", case_id, "--address", address),
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, problem = await process.communicate()
        assert process.returncode == 0, problem.decode()
        return out.decode()

    async with serving(house) as api:
        codec = ("--codec-endpoint", f"{api}/codec", "--codec-auth", f"Bearer {token}")
        plain, sealed, metadata, approved = await asyncio.gather(
            temporal("show", "--output", "json", *codec),
            temporal("show", "--output", "json"),
            temporal("metadata", *codec),
            temporal(
                *("update", "execute", "--name", "approve"),
                *("--input", '{"id": "appr-1", "by": "olga"}', *codec),
            ),
        )

    clear, encrypted = "anNvbi9wbGFpbg==", "YmluYXJ5L2VuY3J5cHRlZA=="  # as base64 shows them
    started, as_kept = (json.loads(text)["events"][0] for text in (plain, sealed))
    for event, encoding in ((started, clear), (as_kept, encrypted)):
        given = event["workflowExecutionStartedEventAttributes"]["input"]["payloads"][0]
        assert given["metadata"]["encoding"] == encoding
        assert event["userMetadata"]["summary"]["metadata"]["encoding"] == encoding
    assert "needs approval" in metadata
    assert "invoicing" in approved
    await house.reaches(case_id, "awaiting_payment")
