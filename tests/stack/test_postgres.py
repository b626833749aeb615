"""The PostgreSQL cluster: made whole, started again whatever a crash has left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import asyncpg
import pytest
import pytest_asyncio

from starter.stack import postgres
from starter.stack.throwaway import ThrowawayServer, throwaway_postgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.stack


@pytest_asyncio.fixture(scope="module")
async def server() -> AsyncIterator[ThrowawayServer]:
    """One throw-away server for the module."""
    async with throwaway_postgres() as running:
        yield running


async def test_databases_are_copies_of_the_template(server: ThrowawayServer) -> None:
    """What the template holds every database holds, and none sees the other's changes."""

    async def build(url: str) -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("create table coin (name text); insert into coin values ('euro')")
        await connection.close()

    await server.template(build)
    one, other = await server.database(), await server.database()
    connection = await asyncpg.connect(one)
    await connection.execute("delete from coin")
    await connection.close()
    connection = await asyncpg.connect(other)
    assert await connection.fetchval("select name from coin") == "euro"
    assert await connection.fetchval("show data_checksums") == "on"
    assert await connection.fetchval("show server_encoding") == "UTF8"
    assert await connection.fetchval("select upper('ä')") == "Ä"
    await server.drop(one)
    await server.drop(other)


async def test_nobody_gets_in_without_the_password(server: ThrowawayServer) -> None:
    """The server listens on this machine only and asks everybody."""
    assert await postgres.answers(server.url())
    assert not await postgres.answers(server.url().replace(server.password, "wrong"))


def _start(cluster: postgres.Cluster, port: int) -> subprocess.Popen[bytes]:
    postgres.make_way(cluster)
    return subprocess.Popen(
        cluster.command(port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=cluster.home,
        env=cluster.environment(),
        **cluster.account.lowered,
    )


def _stranger() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def _reap(pid: int) -> None:
    os.waitpid(pid, 0)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


@pytest.mark.crash
@pytest.mark.parametrize(
    "left", ["as it was", "truncated", "a living foreign pid", "a session that hangs"]
)
async def test_it_starts_after_a_crash_whatever_is_left(
    left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL under load, then a stale, empty or misleading lock: acknowledged rows are back."""
    monkeypatch.setattr(postgres, "LEFTOVERS_PATIENCE", 0.5)
    async with throwaway_postgres() as running:
        cluster = postgres.open_home(running.home, fsync=False)
        connection = await asyncpg.connect(running.url())
        await connection.execute("create table t (n int)")
        await connection.execute("set synchronous_commit = on; insert into t values (1)")
        old = postgres.postmaster(cluster)
        assert old
        if left == "a session that hangs":
            os.kill(await connection.fetchval("select pg_backend_pid()"), signal.SIGSTOP)
        old.send(signal.SIGKILL)
        lock = cluster.data / "postmaster.pid"
        stranger = _stranger()
        try:
            if left == "truncated":
                lock.write_text("")
            if left == "a living foreign pid":
                lines = lock.read_text().splitlines()
                lock.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            _reap(old.pid)
            deadline = time.monotonic() + 20
            process = _start(cluster, running.port)
            while not await postgres.answers(running.url()):
                if process.poll() is not None:
                    process = _start(cluster, running.port)
                assert time.monotonic() < deadline
            assert stranger.poll() is None
        finally:
            _end(stranger)
        connection = await asyncpg.connect(running.url())
        assert await connection.fetchval("select n from t") == 1
        await connection.close()
        postgres.shut_down(cluster)
        _end(process)


def test_the_throwaway_server_leaves_nothing(server: ThrowawayServer) -> None:
    """Its home is private, and it is the only thing there is of it."""
    assert server.home.stat().st_mode & 0o077 == 0
