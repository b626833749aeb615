"""Webhooks accepted per second: the product's API, and a bare endpoint with one insert beside it.

Worker and dispatcher do not run: what is measured is the way from the socket to the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from statistics import median

import asyncpg

from bench.bare import TABLE
from bench.orders import ROOT
from bench.post import Sender
from bench.report import Result, figure
from bench.stack import Stack
from models.store import channels
from models.store.database import Database
from models.vault import Vault
from starter.stack.environment import child_environment
from starter.stack.ports import free_port

CHANNEL = "zahltag"
PATH = f"/webhooks/{CHANNEL}"
TARGET = 0.5
WARM_UP = 1.0
TURN = 0.5


async def accepts(stack: Stack, seconds: float) -> list[Result]:
    """Post to both in short turns; the stack runs without worker and dispatcher.

    The middle turns count: what else the machine does for a moment touches few of them.
    """
    secret = await _secret(stack)
    api = Sender(stack.ports["api"], PATH, secret, "api")
    async with _bare(stack) as port:
        bare = Sender(port, PATH, secret, "bare")
        for sender in (api, bare):
            await sender.rate(WARM_UP)
        rates = {sender.name: list[float]() for sender in (api, bare)}
        for turn in range(max(int(seconds / TURN), 2)):
            for sender in (api, bare) if turn % 2 else (bare, api):
                rates[sender.name].append(await sender.rate(TURN))
    ours, least = median(rates[api.name]), median(rates[bare.name])
    return [figure("webhook_accepts", ours, "requests/s", baseline=least, target=TARGET)]


async def _secret(stack: Stack) -> str:
    database = Database.connect(stack.settings)
    async with database.transaction() as session:
        sealed = (await channels.get(session, CHANNEL)).secret
    await database.close()
    return Vault(stack.settings).open(sealed)


@contextlib.asynccontextmanager
async def _bare(stack: Stack) -> AsyncIterator[int]:
    """Run the bare endpoint as a process on the same PostgreSQL; yields its port."""
    url, port = stack.settings.database_url.get_secret_value(), free_port()
    connection = await asyncpg.connect(url)
    await connection.execute(TABLE)
    await connection.close()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bare", str(port)),
        env=child_environment(stack.data, stack.ports),
        cwd=ROOT,
    )
    try:
        await _listens(port)
        yield port
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _listens(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
