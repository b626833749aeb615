"""The real servers: PostgreSQL, migrations, Temporal, mailbox; killed in every way, data kept."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import asyncpg
import pytest

from models.search_attributes import SEARCH_ATTRIBUTES
from models.settings import Settings
from starter.stack import control, doctor, migrate, postgres, temporal
from starter.stack.datadir import DataDir
from starter.stack.environment import settings_of
from starter.stack.processes import ProcessRef, marked, stop
from starter.stack.state import State
from starter.stack.throwaway import running_stack, throwaway_postgres

pytestmark = pytest.mark.stack

SERVERS = ["postgres", "temporal", "mailbox"]


async def pids(data: DataDir) -> dict[str, int | None]:
    """The processes by name."""
    return {process.name: process.pid for process in (await control.status(data)).processes}


async def kill(*targets: int | None) -> None:
    """SIGKILL processes of ours."""
    refs = [ref for pid in targets if pid and (ref := ProcessRef.of(pid))]
    await asyncio.to_thread(stop, refs, signal.SIGKILL)


@pytest.mark.crash
async def test_whatever_is_killed_comes_back_with_its_data(tmp_path: Path) -> None:
    """Each server in turn, then all with their supervisor: rows, retention and ports remain."""
    said: list[str] = []
    data = DataDir(tmp_path / "data")
    async with running_stack(data.path, "tests.stack.standins:servers_and_one"):
        first = await control.up(data, said.append)
        assert {f"{name} is ready" for name in SERVERS} <= set(said)
        settings = settings_of(data)
        url = settings.database_url.get_secret_value()
        connection = await asyncpg.connect(url)
        await connection.execute("create table kept (n int); insert into kept values (7)")
        await connection.close()
        current, newest = await migrate.versions(settings)
        assert current == newest is not None

        for name in SERVERS:
            before = await pids(data)
            await kill(before[name])
            await control.up(data, said.append)
            after = await pids(data)
            assert {each for each in after if after[each] != before[each]} == {name}

        # The supervisor alone: everything lives on, and its successor adopts all of it.
        before = await pids(data)
        await kill(State.load(data).supervisor.pid)
        await control.up(data, said.append)
        assert await pids(data) == before

        await kill(State.load(data).supervisor.pid, *(await pids(data)).values())
        last = await control.up(data, said.append)
        assert (last.api, last.web_ui) == (first.api, first.web_ui)
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("select n from kept") == 7
        await connection.close()

        status, body = await temporal.fetch(f"{last.web_ui}/api/v1/namespaces/default")
        config = json.loads(body)["config"]
        assert status == 200
        assert config["workflowExecutionRetentionTtl"] == f"{90 * 86_400}s"
        known = set(config["customSearchAttributeAliases"].values())
        assert known == set(SEARCH_ATTRIBUTES)

        checks = {check.name: check for check in await doctor.examine(data)}
        assert {name for name, check in checks.items() if not check.ok} == set()
        cluster = data.cluster()
    assert marked(data.path) == {}
    assert postgres.postmaster(cluster) is None
    checks = {check.name: check for check in await doctor.examine(data)}
    assert not checks["process postgres"].ok
    assert not checks["database"].ok
    assert not checks["temporal"].ok
    assert not checks["mail server"].ok


async def test_migrating_twice_at_once_is_safe_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four at the same time, from a foreign working directory: one does it, the others wait."""
    monkeypatch.chdir(tmp_path)
    async with throwaway_postgres() as server:
        settings = Settings(_env_file=None, database_url=await server.database())
        assert (await migrate.versions(settings))[0] is None
        await asyncio.gather(*(migrate.upgrade(settings) for _ in range(4)))
        current, newest = await migrate.versions(settings)
        assert current == newest is not None
