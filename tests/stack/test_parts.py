"""The small parts of the stack: heartbeats, ports, process identity, logs, a hung process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from starter.stack import heartbeat, keeper
from starter.stack.datadir import LOG_LIMIT, DataDir
from starter.stack.ports import NAMES, choose, is_free
from starter.stack.processes import ProcessRef, stop
from starter.stack.state import Record, State
from starter.stack.table import ProcessSpec


async def test_a_heartbeat_is_fresh_only_for_its_own_process(tmp_path: Path) -> None:
    """A predecessor's beat, an old beat and no beat are no life signs."""
    path = tmp_path / "worker.heartbeat"
    assert not heartbeat.is_fresh(path, os.getpid())
    beating = asyncio.create_task(heartbeat.beat(path))
    await asyncio.sleep(0.05)
    assert heartbeat.is_fresh(path, os.getpid())
    assert not heartbeat.is_fresh(path, 1)
    beating.cancel()
    os.utime(path, (1, 1))
    assert not heartbeat.is_fresh(path, os.getpid())


def test_a_process_is_its_pid_and_its_birth() -> None:
    """Another birth under the same pid is another process; a zombie is none."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ref = ProcessRef.of(process.pid)
    assert ref
    assert ref.alive()
    other = ProcessRef(process.pid, f"{ref.born}0")
    assert not other.alive()
    other.send(signal.SIGKILL)
    assert process.poll() is None
    os.kill(process.pid, signal.SIGSTOP)
    stop([ref], patience=0.2)
    assert ProcessRef.of(process.pid) is None
    assert process.wait() < 0
    assert not ProcessRef(0, "").alive()


def test_ports_are_remembered_and_replaced_only_if_taken(tmp_path: Path) -> None:
    """What a server of the stack holds stays; what a stranger holds changes, with a sentence."""
    ports, notes = choose(tmp_path, {}, set())
    assert set(ports) == set(NAMES)
    assert len(set(ports.values())) == len(NAMES)
    assert notes == []
    assert choose(tmp_path, ports, set()) == (ports, [])
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", ports["postgres"]))
        taker.listen()
        assert not is_free(ports["postgres"])
        assert choose(tmp_path, ports, {"postgres"}) == (ports, [])
        changed, notes = choose(tmp_path, ports, set())
    assert {name for name in NAMES if changed[name] != ports[name]} == {"postgres"}
    assert str(ports["postgres"]) in notes[0]


def test_the_data_directory_is_private_and_keeps_its_secrets(tmp_path: Path) -> None:
    """Secrets are made once; a directory that holds other things keeps its mode."""
    data = DataDir(tmp_path / "data")
    data.create()
    token = data.secret("api_token")
    data.create()
    assert data.secret("api_token") == token
    assert len(token) > 30
    assert data.path.stat().st_mode & 0o777 == 0o700
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)
    (shared / "thing").touch()
    DataDir(shared).create()
    assert shared.stat().st_mode & 0o777 == 0o755


def test_a_large_log_makes_room(tmp_path: Path) -> None:
    """At a start a log above the limit is set aside; there is one predecessor at most."""
    data = DataDir(tmp_path)
    data.create()
    data.log("worker").write_bytes(b"x" * (LOG_LIMIT + 1))
    with data.open_log("worker") as log:
        log.write(b"new")
    assert data.log("worker").read_bytes() == b"new"
    assert len(list((tmp_path / "logs").iterdir())) == 2


def test_a_state_of_another_version_is_an_empty_one(tmp_path: Path) -> None:
    """What cannot be understood is not trusted."""
    data = DataDir(tmp_path)
    data.create()
    data.write("run/state.json", {"supervisor": {"unknown": 1}})
    assert State.load(data) == State()


async def test_a_living_process_that_gives_no_answer_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hung is as bad as dead."""
    monkeypatch.setattr(keeper, "ASK_EVERY", 0.05)
    monkeypatch.setattr(keeper, "LOOK_EVERY", 0.02)
    data = DataDir(tmp_path)
    data.create()
    well = True

    async def healthy(_pid: int) -> bool:
        return well

    spec = ProcessSpec(
        name="hanging",
        command=(sys.executable, "-c", "import time; time.sleep(60)"),
        environment=dict(os.environ),
        healthy=healthy,
        hung_after=0.2,
    )
    record = Record()
    kept = keeper.Keeper(spec, record, data, lambda: None)
    task = asyncio.create_task(kept.keep([]))
    await asyncio.wait_for(kept.ready.wait(), 5)
    first = record.pid
    well = False
    async with asyncio.timeout(5):
        while record.pid == first:  # noqa: ASYNC110 - the record is plain data
            await asyncio.sleep(0.02)
    assert "gave no answer" in record.problem
    well = True
    await asyncio.wait_for(kept.ready.wait(), 5)
    task.cancel()
    kept.stop()
    assert not record.ref.alive()
