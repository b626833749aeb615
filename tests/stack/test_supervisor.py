"""The supervisor with stand-in processes: adopts, restarts, stops, and never takes a stranger."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from starter.stack import control
from starter.stack.datadir import DataDir
from starter.stack.processes import ProcessRef, marked
from starter.stack.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.stack


def zahltag(
    data: Path, *words: str, table: str = "two", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run one command with a table of stand-ins, and return what it said."""
    return subprocess.run(
        [sys.executable, "-m", "starter.cli", "--data-dir", str(data), *words],
        env={
            **os.environ,
            "ZAHLTAG_STACK_TABLE": f"tests.stack.standins:{table}",
            "ZAHLTAG_PG_FSYNC": "off",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs in this process sees the same table as the commands."""
    monkeypatch.setenv("ZAHLTAG_STACK_TABLE", "tests.stack.standins:two")
    monkeypatch.setenv("ZAHLTAG_PG_FSYNC", "off")


def status(data: Path) -> dict[str, control.ProcessStatus]:
    """Each process by name, as it is now."""
    found = asyncio.run(control.status(DataDir(data)))
    return {process.name: process for process in found.processes}


def up(data: Path) -> dict[str, control.ProcessStatus]:
    """Start everything and return the processes, healthy all of them."""
    found = asyncio.run(control.up(DataDir(data), print))
    assert found.healthy
    return {process.name: process for process in found.processes}


def down(data: Path) -> None:
    """Stop everything."""
    control.down(DataDir(data))


@contextmanager
def ended(*stacks: Path) -> Iterator[None]:
    """Stop the stacks whatever happens."""
    try:
        yield
    finally:
        for data in stacks:
            down(data)


def supervisor(data: Path) -> ProcessRef:
    """The supervisor of a stack."""
    return State.load(DataDir(data)).supervisor.ref


def kill(pid: int) -> None:
    """SIGKILL a process of ours and wait until it is gone."""
    ref = ProcessRef.of(pid)
    assert ref
    ref.send(signal.SIGKILL)
    until(lambda: not ref.alive())


def until(condition: Any, patience: float = 10) -> None:
    """Wait for something that must come true."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_life(tmp_path: Path) -> None:
    """Up, up again, status, down, down again: every command may be repeated."""
    data = tmp_path / "data"
    with ended(data):
        assert {process.pid for process in status(data).values()} == {None}
        assert not data.exists()
        done = zahltag(data, "up", "--detach")
        assert done.returncode == 0
        ports = json.loads((data / "ports.json").read_text())
        assert f"http://127.0.0.1:{ports['temporal_ui']}" in done.stdout
        assert f"http://127.0.0.1:{ports['api']}" in done.stdout
        shown = json.loads(zahltag(data, "status", "--json").stdout)
        assert [process["name"] for process in shown["processes"]] == ["first", "second"]
        assert all(process["healthy"] for process in shown["processes"])
        assert shown["supervisor"]["pid"] == supervisor(data).pid
        before = status(data)
        assert up(data) == before
        assert zahltag(data, "down").returncode == 0
        assert marked(data) == {}
        assert {process.healthy for process in status(data).values()} == {False}
        assert zahltag(data, "down").returncode == 0
        up(data)
        assert json.loads((data / "ports.json").read_text()) == ports
    assert data.stat().st_mode & 0o077 == 0
    for path in data.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_two_stacks_live_side_by_side_even_in_a_long_path(tmp_path: Path) -> None:
    """Ports differ, and a path longer than a socket's may be is no obstacle."""
    one, other = tmp_path / "one", tmp_path / ("long" * 40) / ("long" * 40)
    with ended(one, other):
        up(one)
        up(other)
        ports = [json.loads((data / "ports.json").read_text()) for data in (one, other)]
        assert not set(ports[0].values()) & set(ports[1].values())
        down(one)
        assert all(process.healthy for process in status(other).values())


@pytest.mark.crash
def test_a_killed_process_comes_back_by_itself(tmp_path: Path) -> None:
    """SIGKILL to one process: the supervisor starts it again, and leaves the other alone."""
    with ended(tmp_path):
        before = up(tmp_path)
        kill(before["first"].pid)
        until(lambda: status(tmp_path)["first"].healthy)
        after = status(tmp_path)
        assert after["first"].pid != before["first"].pid
        assert after["second"].pid == before["second"].pid


@pytest.mark.crash
def test_a_new_supervisor_adopts_the_living_and_starts_the_missing(tmp_path: Path) -> None:
    """SIGKILL to the supervisor and one process: no process runs twice afterwards."""
    with ended(tmp_path):
        before = up(tmp_path)
        boss = supervisor(tmp_path)
        kill(boss.pid)
        kill(before["second"].pid)
        after = up(tmp_path)
        assert after["first"].pid == before["first"].pid
        assert after["second"].pid != before["second"].pid
        assert {name: len(refs) for name, refs in marked(tmp_path).items()} == {
            "first": 1,
            "second": 1,
        }
        assert supervisor(tmp_path) != boss


@pytest.mark.crash
def test_an_orphan_that_nobody_recorded_is_replaced(tmp_path: Path) -> None:
    """A supervisor killed between the start and its record leaves no double behind."""
    with ended(tmp_path):
        before = up(tmp_path)
        kill(supervisor(tmp_path).pid)
        data = DataDir(tmp_path)
        state = State.load(data)
        del state.processes["first"]
        state.save(data)
        after = up(tmp_path)
        assert after["first"].pid != before["first"].pid
        assert [len(refs) for refs in marked(tmp_path).values()] == [1, 1]


@pytest.mark.crash
def test_down_ends_the_orphans_of_a_dead_supervisor(tmp_path: Path) -> None:
    """Nothing of the data directory runs after `down`, whoever started it."""
    with ended(tmp_path):
        up(tmp_path)
        kill(supervisor(tmp_path).pid)
        down(tmp_path)
        assert marked(tmp_path) == {}


def test_a_recycled_pid_is_neither_adopted_nor_killed(tmp_path: Path) -> None:
    """A record that names a stranger's pid, with another birth, means nothing."""
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with ended(tmp_path):
        up(tmp_path)
        down(tmp_path)
        data = DataDir(tmp_path)
        state = State.load(data)
        state.processes["first"].pid = state.supervisor.pid = stranger.pid
        state.save(data)
        assert up(tmp_path)["first"].pid != stranger.pid
        down(tmp_path)
        assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_what_cannot_start_is_named_with_its_log(tmp_path: Path) -> None:
    """One sentence, exit 1, soon; what did start runs on, and `down` ends it."""
    with ended(tmp_path):
        began = time.monotonic()
        done = zahltag(tmp_path, "up", "--detach", table="broken")
        assert time.monotonic() - began < 30
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("broken ended with status 1")
        assert str(tmp_path / "logs" / "broken.log") in last


def test_up_stays_until_it_is_told_to_leave(tmp_path: Path) -> None:
    """Without --detach SIGTERM stops everything cleanly, with exit 0."""
    with ended(tmp_path):
        command = [sys.executable, "-m", "starter.cli", "--data-dir", str(tmp_path), "up"]
        table = {"ZAHLTAG_STACK_TABLE": "tests.stack.standins:two"}
        attached = subprocess.Popen(
            command, env={**os.environ, **table}, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        until(lambda: "second" in marked(tmp_path))
        until(lambda: all(process.healthy for process in status(tmp_path).values()))
        attached.send_signal(signal.SIGTERM)
        assert attached.wait(20) == 0
        assert marked(tmp_path) == {}


def test_a_port_that_somebody_took_is_replaced_and_named(tmp_path: Path) -> None:
    """Remembered ports stay unless another program listens there at the next start."""
    import socket

    with ended(tmp_path), socket.socket() as taker:
        up(tmp_path)
        down(tmp_path)
        old = json.loads((tmp_path / "ports.json").read_text())
        taker.bind(("127.0.0.1", old["api"]))
        taker.listen()
        done = zahltag(tmp_path, "up", "--detach")
        new = json.loads((tmp_path / "ports.json").read_text())
        assert f"Port {old['api']} (api) is taken" in done.stderr
        assert {name for name in old if old[name] != new[name]} == {"api"}


def test_servers_elsewhere_are_not_started_here(tmp_path: Path) -> None:
    """With ZAHLTAG_DATABASE_URL set, `up` says what to start instead."""
    done = zahltag(tmp_path, "up", ZAHLTAG_DATABASE_URL="postgresql://u:p@127.0.0.1:1/x")
    assert done.returncode == 1
    assert "python -m worker" in done.stderr
