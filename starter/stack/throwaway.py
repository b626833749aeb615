"""A PostgreSQL for tests: made in two seconds, without fsync, gone afterwards.

``async with throwaway_postgres() as server`` gives a server; ``server.template(build)`` prepares a
database once (migrations, say) and ``server.database()`` copies it in some 30 ms per test.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.settings import Settings
from starter.stack import control
from starter.stack.account import unprivileged
from starter.stack.datadir import DataDir
from starter.stack.environment import settings_of
from starter.stack.ports import free_port
from starter.stack.postgres import (
    DATABASE,
    USER,
    Cluster,
    ClusterError,
    answers,
    initialise,
    make_home,
    open_home,
    shut_down,
)
from starter.stack.processes import ProcessRef
from starter.stack.table import TABLE_VARIABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

PREFIX = "zahltag-throwaway-"
START_TIMEOUT = 60.0
_TEMPLATE = "template_of_tests"


@dataclass(frozen=True, slots=True)
class ThrowawayServer:
    """A running server; every URL has the form ``postgresql://user:password@host:port/database``."""

    port: int
    password: str
    home: Path

    def url(self, database: str = DATABASE) -> str:
        """Where a database of this server is found."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    async def template(self, build: Callable[[str], Awaitable[None]]) -> None:
        """Prepare the database that ``database`` copies: ``build(url)`` fills it once."""
        await self._execute(f"create database {_TEMPLATE}")
        await build(self.url(_TEMPLATE))
        # A session that is just ending would make the first copy fail.
        await self._execute(f"alter database {_TEMPLATE} allow_connections false is_template true")
        await self._execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1",
            _TEMPLATE,
        )

    async def database(self) -> str:
        """Make a new database, a copy of the template where there is one; return its URL."""
        name = f"t_{secrets.token_hex(6)}"
        known = await self._execute("select 1 from pg_database where datname = $1", _TEMPLATE)
        source = _TEMPLATE if known else "template1"
        await self._execute(f"create database {name} template {source}")
        return self.url(name)

    async def drop(self, url: str) -> None:
        """Remove a database, ending the sessions that are still in it."""
        await self._execute(f"drop database {url.rpartition('/')[2]} with (force)")

    async def _execute(self, statement: str, *values: str) -> list[object]:
        import asyncpg  # noqa: PLC0415 - slow to import

        connection = await asyncpg.connect(self.url("postgres"))
        try:
            return list(await connection.fetch(statement, *values))
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def throwaway_postgres() -> AsyncIterator[ThrowawayServer]:
    """Start a server in a temporary directory; stop it and remove everything at the end."""
    await asyncio.to_thread(_sweep)
    cluster = await asyncio.to_thread(_prepare)
    password = secrets.token_hex(16)
    process = None
    try:
        await asyncio.to_thread(initialise, cluster, password)
        port = free_port()
        server = ThrowawayServer(port, password, cluster.home)
        process = await asyncio.to_thread(_start, cluster, port)
        await _wait(server, process)
        yield server
    finally:
        await asyncio.to_thread(_remove, cluster, process)


@contextlib.asynccontextmanager
async def running_stack(
    directory: Path,
    table: str = "starter.stack.table:whole_stack",
    *,
    keep: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Settings]:
    """Run a stack of real processes in a directory; yields its settings, leaves no process.

    ``starter.stack.table:servers_only`` is the table without worker, API and dispatcher. A cluster
    that had to lie outside the directory is removed at the end, so a stack runs here once; unless
    ``keep()`` is true then.
    """
    data = DataDir.at(directory)
    before = {name: os.environ.get(name) for name in (TABLE_VARIABLE, "ZAHLTAG_PG_FSYNC")}
    os.environ.update({TABLE_VARIABLE: table, "ZAHLTAG_PG_FSYNC": "off"})
    try:
        await control.up(data, lambda _line: None)
        yield settings_of(data)
    finally:
        await asyncio.to_thread(control.down if keep() else _dispose, data)
        for name, text in before.items():
            os.environ.pop(name, None) if text is None else os.environ.update({name: text})


def _dispose(data: DataDir) -> None:
    control.down(data)
    home = data.cluster().home
    if not home.is_relative_to(data.path):
        shutil.rmtree(home, ignore_errors=True)


def _bases() -> list[Path]:
    return [Path(tempfile.gettempdir()), Path("/var/tmp")]  # noqa: S108 - mkdtemp makes it private


def _prepare() -> Cluster:
    """Take the first temporary directory in which the account of the server can work."""
    for base in _bases():
        home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        owner = ProcessRef.of(os.getpid())
        (home / "owner").write_text(f"{os.getpid()} {owner.born if owner else ''}")
        try:
            return make_home(home, fsync=False)
        except ClusterError:
            shutil.rmtree(home)
    raise ClusterError(f"No temporary directory can be used by PostgreSQL ({unprivileged()}).")


def _start(cluster: Cluster, port: int) -> subprocess.Popen[bytes]:
    with (cluster.home / "log").open("wb") as log:
        return subprocess.Popen(
            cluster.command(port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cluster.home,
            env=cluster.environment(),
            start_new_session=True,
            **cluster.account.lowered,
        )


async def _wait(server: ThrowawayServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not await answers(server.url()):
        if process.poll() is not None or time.monotonic() > deadline:
            log = (server.home / "log").read_text(errors="replace")
            raise ClusterError(f"PostgreSQL did not start: {log[-500:]}")
        await asyncio.sleep(0.05)


def _remove(cluster: Cluster, process: subprocess.Popen[bytes] | None) -> None:
    shut_down(cluster, patience=10)
    if process:
        process.wait(10)
    shutil.rmtree(cluster.home, ignore_errors=True)


def _sweep() -> None:
    """Remove what a killed test run has left: its server, which nobody else can own, and files."""
    for base in _bases():
        for home in base.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError, ValueError):
                pid, born = (home / "owner").read_text().split()
                if not ProcessRef(int(pid), born).alive():
                    _remove(open_home(home), None)
