"""How orders and payments come to the floor: one statement each, then Temporal is told at once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from decimal import Decimal

import asyncpg
from pydantic import SecretStr
from temporalio.client import Client

from bench import floor_sql as sql
from bench.floor import QUEUE
from bench.orders import ROOT, TOTAL, document, now
from bench.pool import open_pool
from bench.stack import Stack, set_company
from connectors.shops import SHOPS
from connectors.shops.port import OrderEvent, parse_document
from models.codec import dump_order
from models.settings import Settings
from models.store.database import Database
from starter.stack import migrate
from starter.stack.environment import child_environment

DATABASE = "floor"
CHANNEL = "bench"


class FloorShop:
    """Takes orders and payments in, with the least that leaves the same rows behind."""

    name = "floor"

    def __init__(self, url: str, pool: asyncpg.Pool, client: Client) -> None:
        self.url = url
        self._pool = pool
        self._client = client

    async def take_in(self, number: str) -> None:
        """Store the order and start its workflow."""
        body, case_id = document(number), f"order-{CHANNEL}-{number}"
        event = SHOPS["zahltag"].read(parse_document(body), channel=CHANNEL)
        assert isinstance(event, OrderEvent)
        digest = hashlib.sha256(body).hexdigest()
        content = json.dumps(dump_order(event.order))
        await self._pool.execute(
            sql.TAKE_IN,
            *(CHANNEL, number, case_id, body, digest, content, digest, digest, now()),
        )
        await self._client.start_workflow("Floor", case_id, id=case_id, task_queue=QUEUE)

    async def pay(self, case_id: str, invoice_no: str) -> None:
        """Book the payment and signal it."""
        at = now()
        payment_id = await self._pool.fetchval(
            sql.PAY, invoice_no, f"paid-{case_id}", Decimal(TOTAL), at.date(), at
        )
        await self._client.get_workflow_handle(case_id).signal("paid", payment_id)


@contextlib.asynccontextmanager
async def open_floor(stack: Stack) -> AsyncIterator[tuple[FloorShop, int]]:
    """Give the floor a database beside the chain's, and its worker; yields the worker's pid too."""
    settings = await _database(stack)
    url = settings.database_url.get_secret_value()
    # The floor's workflow ids are the chain's: it has a namespace of ids by running afterwards
    # with other numbers, and a task queue of its own.
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.floor"),
        env={
            **child_environment(stack.data, stack.ports),
            "ZAHLTAG_DATABASE_URL": url,
        },
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert worker.stdout
    try:
        if await worker.stdout.readline() != b"ready\n":
            raise RuntimeError("the worker of the floor did not start")
        client = await Client.connect(settings.temporal_address)
        async with open_pool(url, settings.database_pool) as pool:
            yield FloorShop(url, pool, client), worker.pid
    finally:
        if worker.returncode is None:
            worker.terminate()
            await worker.wait()


async def _database(stack: Stack) -> Settings:
    """Make a second database with the same tables and company; return settings that name it."""
    own = stack.settings.database_url.get_secret_value()
    connection = await asyncpg.connect(own)
    await connection.execute(f"create database {DATABASE}")
    await connection.close()
    url = f"{own.rpartition('/')[0]}/{DATABASE}"
    settings = stack.settings.model_copy(update={"database_url": SecretStr(url)})
    await migrate.upgrade(settings)
    database = Database.connect(settings)
    await set_company(database)
    await database.close()
    return settings
