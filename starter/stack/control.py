"""Start, stop and describe a stack from outside its supervisor: what the commands call."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from domain.errors import RefusedError
from starter.stack.datadir import DataDir
from starter.stack.environment import PORTS_FILE, is_external
from starter.stack.keeper import ROOT
from starter.stack.ports import NAMES
from starter.stack.processes import marked, stop
from starter.stack.state import Record, Stage, State
from starter.stack.table import ProcessSpec, table

# How long `up` waits while nothing moves. A database that recovers from a crash moves: it logs.
PATIENCE = 120.0
HOPELESS_AFTER = 4
SPAWN_EVERY = 4.0
STOP_PATIENCE = 180.0


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process as it is now: asked, not remembered."""

    name: str
    pid: int | None
    address: str
    healthy: bool


@dataclass(frozen=True, slots=True)
class StackStatus:
    """The stack as it is now; addresses are empty before the first start."""

    processes: tuple[ProcessStatus, ...]
    web_ui: str
    api: str
    supervisor: ProcessStatus
    notes: tuple[str, ...]

    @property
    def healthy(self) -> bool:
        """Whether everything runs and answers."""
        return self.supervisor.healthy and all(process.healthy for process in self.processes)


async def status(data: DataDir) -> StackStatus:
    """Ask every process of the table how it is."""
    state, ports = State.load(data), data.read(PORTS_FILE)
    specs = [spec for spec in _specs(data, ports) if not spec.once]
    processes = await asyncio.gather(
        *(_process_status(spec, state.processes.get(spec.name, Record())) for spec in specs)
    )
    boss = state.supervisor.ref
    lives = boss.alive()
    return StackStatus(
        processes=tuple(processes),
        web_ui=f"http://127.0.0.1:{ports['temporal_ui']}" if ports else "",
        api=f"http://127.0.0.1:{ports['api']}" if ports else "",
        supervisor=ProcessStatus(
            "supervisor", boss.pid if lives else None, "", lives and state.stage is Stage.RUNNING
        ),
        notes=tuple(state.notes) if lives else (),
    )


def is_supervised(data: DataDir) -> bool:
    """Whether a supervisor of this data directory lives."""
    return State.load(data).supervisor.ref.alive()


async def up(data: DataDir, say: Callable[[str], None]) -> StackStatus:
    """Start what is missing and return when all of it is healthy; ``say`` hears the progress.

    Refused with the log to read if something fails again and again, or nothing moves for long.
    """
    if is_external():
        raise RefusedError(
            "ZAHLTAG_DATABASE_URL is set, so the servers run elsewhere: start `python -m worker`, "
            "`python -m starter.api` and `python -m starter.dispatcher` directly, or unset it."
        )
    data.create()
    rise = _Rise(data, say)
    while True:
        found = await rise.step()
        if found:
            return found
        await asyncio.sleep(0.2)


class _Rise:
    """One wait for a healthy stack: what was said, and when something last moved."""

    def __init__(self, data: DataDir, say: Callable[[str], None]) -> None:
        self._data = data
        self._say = say
        self._told: set[str] = set()
        self._spawns = 0
        self._spawned = self._moved = time.monotonic()
        self._seen = 0

    async def step(self) -> StackStatus | None:
        """Look once; return the status when everything is healthy, refuse when it is hopeless."""
        state = State.load(self._data)
        if not state.supervisor.ref.alive():
            self._spawn_again(state)
        elif state.stage is Stage.RUNNING:
            found = await status(self._data)
            self._tell(found)
            if found.healthy and all(record.ready for record in state.processes.values()):
                for note in found.notes:
                    self._say(note)
                return found
            _refuse_the_hopeless(self._data, state)
        seen = _movement(self._data, state, self._told)
        if seen != self._seen:
            self._seen, self._moved = seen, time.monotonic()
        if time.monotonic() - self._moved > PATIENCE:
            raise RefusedError(_waiting_for(self._data, state))
        return None

    def _spawn_again(self, state: State) -> None:
        """Start a supervisor; not too often, as one that starts has not said so yet."""
        if self._spawns and time.monotonic() - self._spawned < SPAWN_EVERY:
            return
        if self._spawns and state.stage is Stage.FAILED:
            raise RefusedError(state.problem)
        if self._spawns == HOPELESS_AFTER:
            raise RefusedError(
                f"The supervisor does not start: see {self._data.log('supervisor')}."
            )
        _spawn(self._data)
        self._spawns, self._spawned = self._spawns + 1, time.monotonic()

    def _tell(self, found: StackStatus) -> None:
        ready = {process.name for process in found.processes if process.healthy}
        for name in sorted(ready - self._told):
            self._say(f"{name} is ready")
        self._told |= ready


async def attend(data: DataDir, leave: asyncio.Event) -> None:
    """Stay until asked to leave, or until somebody else has stopped the stack.

    A supervisor that is killed meanwhile is replaced; the new one adopts what lives.
    """
    spawned = 0.0
    while not leave.is_set():
        state = State.load(data)
        if not state.supervisor.ref.alive():
            if state.stage in {Stage.STOPPED, Stage.STOPPING, Stage.FAILED}:
                return
            if time.monotonic() - spawned > SPAWN_EVERY:
                _spawn(data)
                spawned = time.monotonic()
        with suppress(TimeoutError):
            await asyncio.wait_for(leave.wait(), 0.5)


def down(data: DataDir) -> None:
    """Return when no process of this data directory runs, whoever started it."""
    if not data.run.is_dir():
        return
    deadline = time.monotonic() + STOP_PATIENCE
    while not (lock := data.lock()):
        if time.monotonic() > deadline:
            raise RefusedError(f"The supervisor cannot be stopped: see {data.log('supervisor')}.")
        stop([State.load(data).supervisor.ref], patience=STOP_PATIENCE)
        time.sleep(0.1)
    with lock:
        _sweep(data)


def _sweep(data: DataDir) -> None:
    """End orphans in the order in which a supervisor would: by record, mark and lock file."""
    state = State.load(data)
    orphans = marked(data.path)
    for spec in reversed(_specs(data, data.read(PORTS_FILE))):
        record = state.processes.get(spec.name, Record())
        found = spec.find()
        refs = {record.ref, *([found] if found else []), *orphans.pop(spec.name, [])}
        stop(refs, spec.stop_signal, spec.patience)
        record.ready = False
    for unknown in orphans.values():
        stop(unknown)
    if state.stage is not Stage.FAILED:
        state.stage = Stage.STOPPED
    state.save(data)


def _specs(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    return table()(data, ports or dict.fromkeys(NAMES, 0))


async def _process_status(spec: ProcessSpec, record: Record) -> ProcessStatus:
    lives = record.ref.alive()
    return ProcessStatus(
        name=spec.name,
        pid=record.pid if lives else None,
        address=spec.address if not spec.address.endswith(":0") else "",
        healthy=lives and await spec.healthy(record.pid),
    )


def _spawn(data: DataDir) -> None:
    """Start a supervisor in a session of its own; if there is one already, it leaves at once."""
    with data.open_log("supervisor") as output:
        subprocess.Popen(
            [sys.executable, "-m", "starter.stack.supervisor", str(data.path)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            start_new_session=True,
        )


def _refuse_the_hopeless(data: DataDir, state: State) -> None:
    for name, record in state.processes.items():
        if record.failures >= HOPELESS_AFTER:
            raise RefusedError(
                f"{record.problem} and has failed {record.failures} times: see {data.log(name)}."
            )


def _movement(data: DataDir, state: State, told: set[str]) -> int:
    """A number that changes when something moves: a process got ready, or the database logs."""
    ready = {name for name, record in state.processes.items() if record.ready}
    log = data.log("postgres")
    growth = log.stat().st_size if "postgres" not in ready and log.exists() else 0
    return hash((state.stage, state.supervisor.pid, frozenset(ready | told), growth))


def _waiting_for(data: DataDir, state: State) -> str:
    late = [name for name, record in state.processes.items() if not record.ready]
    name = late[0] if late else "supervisor"
    return f"{name} did not become healthy within {PATIENCE:.0f} s: see {data.log(name)}."
