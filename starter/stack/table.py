"""The table of processes: what runs in a stack, in which order, and how each shows its health.

It is data: a test runs a stack with a smaller or another table by naming it in
``ZAHLTAG_STACK_TABLE`` (``module:function``).
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from models.settings import Settings
from starter.stack import heartbeat, postgres, temporal
from starter.stack.account import Account
from starter.stack.datadir import DataDir
from starter.stack.environment import child_environment, stack_environment
from starter.stack.processes import MARKER, ProcessRef, marker

TABLE_VARIABLE = "ZAHLTAG_STACK_TABLE"
DEFAULT_TABLE = "starter.stack.table:whole_stack"


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process. ``healthy(pid)`` asks it; a pid alone proves nothing.

    ``once`` marks a step that runs to its end instead of staying. ``prepare`` runs before each
    start, ``settle`` after each one that became healthy. ``hung_after`` is how long a living
    process may fail to answer before it is restarted; ``None`` leaves it alone. ``find`` finds a
    running one that bears no mark in its environment.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    healthy: Callable[[int], Awaitable[bool]]
    address: str = ""
    after: tuple[str, ...] = ()
    once: bool = False
    prepare: Callable[[], None] = field(default=lambda: None)
    settle: Callable[[], Awaitable[None]] | None = None
    find: Callable[[], ProcessRef | None] = field(default=lambda: None)
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 10
    hung_after: float | None = 60
    account: Account = field(default_factory=Account)

    @property
    def fingerprint(self) -> str:
        """Changes when the process would have to be started differently."""
        ours = {key: text for key, text in self.environment.items() if key.startswith("ZAHLTAG_")}
        return hashlib.sha256(json.dumps([self.command, ours]).encode()).hexdigest()[:16]


Table = Callable[[DataDir, dict[str, int]], list[ProcessSpec]]


def table() -> Table:
    """The table to use: the whole stack unless a test names another one."""
    module, _, function = (os.environ.get(TABLE_VARIABLE) or DEFAULT_TABLE).partition(":")
    chosen: Table = getattr(importlib.import_module(module), function)
    return chosen


def servers_only(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    """PostgreSQL with its migrations, Temporal and the mailbox: what our own processes need."""
    given = stack_environment(data, ports)
    ui, address = given["ZAHLTAG_TEMPORAL_UI"], given["ZAHLTAG_TEMPORAL_ADDRESS"]
    codec = f"{given['ZAHLTAG_API_URL']}/codec" if given["ZAHLTAG_PAYLOAD_KEYS"] else ""
    migrations = python("migrations", data, ports, "starter.stack.prepare", after=("postgres",))
    return [
        _postgres(data, ports),
        migrations,
        ProcessSpec(
            name="temporal",
            command=tuple(
                temporal.command(
                    data.temporal_file, ports["temporal"], ports["temporal_ui"], codec=codec
                )
            ),
            environment={**os.environ, MARKER: marker("temporal", data.path)},
            healthy=lambda _pid: temporal.answers(ui),
            address=address,
            settle=partial(temporal.settle, address, ui),
            patience=15,
        ),
        python(
            "mailbox",
            data,
            ports,
            "starter.stack.mailbox",
            healthy=lambda _pid: greets(ports["mailbox"]),
            address=f"127.0.0.1:{ports['mailbox']}",
        ),
    ]


def whole_stack(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    """Everything: the servers, and the three processes that do the work."""
    health = f"http://127.0.0.1:{ports['api']}/health"

    async def api_answers(_pid: int) -> bool:
        return (await temporal.fetch(health))[0] == 200

    ready = ("migrations", "temporal", "mailbox")
    return [
        *servers_only(data, ports),
        python("worker", data, ports, "worker", after=ready, patience=40, metrics=0),
        python(
            "api",
            data,
            ports,
            "starter.api",
            after=ready,
            healthy=api_answers,
            address=f"127.0.0.1:{ports['api']}",
            metrics=2,
        ),
        python("dispatcher", data, ports, "starter.dispatcher", after=ready, metrics=1),
    ]


def python(
    name: str,
    data: DataDir,
    ports: dict[str, int],
    module: str,
    *,
    after: tuple[str, ...] = (),
    healthy: Callable[[int], Awaitable[bool]] | None = None,
    address: str = "",
    patience: float = 10,
    metrics: int | None = None,
) -> ProcessSpec:
    """A Python process of ours; without a question to ask, its heartbeat tells its health.

    ``metrics``: on which port from the one of ``ZAHLTAG_METRICS_ADDRESS`` on it shows them.
    """
    sign = data.heartbeat(name)

    async def beats(pid: int) -> bool:
        return heartbeat.is_fresh(sign, pid)

    return ProcessSpec(
        name=name,
        command=(sys.executable, "-m", module),
        environment={
            **child_environment(data, ports),
            "ZAHLTAG_METRICS_ADDRESS": _metrics_address(metrics),
            "ZAHLTAG_HEARTBEAT_FILE": str(sign),
            MARKER: marker(name, data.path),
        },
        healthy=healthy or beats,
        address=address,
        after=after,
        once=name == "migrations",
        patience=patience,
    )


def _metrics_address(place: int | None) -> str:
    """The processes of one machine cannot share a port: each takes the next one."""
    host, _, port = Settings().metrics_address.rpartition(":")
    return f"{host}:{int(port) + place}" if host and place is not None else ""


async def greets(port: int, host: str = "127.0.0.1", *, silent: bool = False) -> bool:
    """Whether a mail server says hello; a ``silent`` one need only take the connection."""
    try:
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                return silent or (await reader.readline()).startswith(b"220")
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False


def _postgres(data: DataDir, ports: dict[str, int]) -> ProcessSpec:
    url = stack_environment(data, ports)["ZAHLTAG_DATABASE_URL"]
    fsync = Settings().pg_fsync == "on"
    cluster = data.cluster(fsync=fsync)

    def prepare() -> None:
        postgres.initialise(cluster, data.secret("postgres_password"))
        postgres.make_way(cluster)

    return ProcessSpec(
        name="postgres",
        command=tuple(cluster.command(ports["postgres"])),
        environment=cluster.environment(),
        healthy=lambda _pid: postgres.answers(url),
        address=f"127.0.0.1:{ports['postgres']}",
        prepare=prepare,
        find=lambda: postgres.postmaster(cluster),
        stop_signal=signal.SIGINT,
        patience=30,
        # Crash recovery takes as long as it takes; killing it would only make it start over.
        hung_after=None,
        account=cluster.account,
    )
