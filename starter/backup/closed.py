"""The embedded stack closed for business: the database alone, run by the command that needs it so.

The command is the supervisor meanwhile and holds the stack's lock. If it is killed, its processes
live on, and the next ``up`` adopts or replaces them, as with any supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from domain.errors import RefusedError
from models.settings import Settings
from starter.stack import control, temporal
from starter.stack.datadir import DataDir
from starter.stack.environment import settings_of
from starter.stack.keeper import Keeper
from starter.stack.supervisor import LOCK_PATIENCE, Supervisor
from starter.stack.table import ProcessSpec, Table, python, servers_only


def database_only(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    """Nothing but PostgreSQL."""
    return [spec for spec in servers_only(data, ports) if spec.name == "postgres"]


def database_and_notice(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    """PostgreSQL, and what says 503 where the API usually is."""
    address = f"127.0.0.1:{ports['api']}"

    async def says_no(_pid: int) -> bool:
        return (await temporal.fetch(f"http://{address}/health"))[0] == 503

    notice = python(
        "api", data, ports, "starter.backup.notice", healthy=says_no, address=address, patience=2
    )
    return [*database_only(data, ports), notice]


@contextlib.asynccontextmanager
async def closed_stack(data: DataDir, table: Table) -> AsyncIterator[Settings]:
    """Stop the stack, run this table instead, and stop that at the end; yields the settings."""
    await asyncio.to_thread(control.down, data)
    data.create()
    lock = data.lock(patience=LOCK_PATIENCE)
    if not lock:
        raise RefusedError("Somebody else is starting the stack: try again when it runs.")
    with lock:
        async with Supervisor(data, table).keeping() as keepers:
            await _ready(data, keepers)
            yield settings_of(data)


async def _ready(data: DataDir, keepers: list[Keeper]) -> None:
    deadline = time.monotonic() + control.PATIENCE
    while late := [keeper for keeper in keepers if not keeper.ready.is_set()]:
        record = late[0].record
        name = late[0].spec.name
        if record.failures >= control.HOPELESS_AFTER:
            raise RefusedError(f"{record.problem}: see {data.log(name)}.")
        if time.monotonic() > deadline:
            raise RefusedError(f"{name} did not start: see {data.log(name)}.")
        await asyncio.sleep(0.1)
