"""The daemon of one data directory: starts the processes of the table and keeps them running.

There is at most one (a lock says so). If it is killed, its children live on, and the next one
adopts them. SIGTERM stops all of them in reverse order.

Run as ``python -m starter.stack.supervisor DATA_DIR``; ``starter.stack.control`` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from domain.errors import RefusedError
from models.settings import Settings
from starter.stack import ports as port_numbers
from starter.stack.datadir import DataDir
from starter.stack.environment import PORTS_FILE
from starter.stack.keeper import Keeper
from starter.stack.processes import ProcessRef, marked, stop
from starter.stack.state import Record, Stage, State
from starter.stack.table import ProcessSpec, Table, table

# `down` holds the lock while it sweeps up; a supervisor that finds it taken longer is the second.
LOCK_PATIENCE = 2.0

log = logging.getLogger(__name__)


class Supervisor:
    """One run of the stack, from the first process to the last one's end."""

    def __init__(self, data: DataDir, chosen: Table | None = None) -> None:
        self._data = data
        self._table = chosen or table()
        self._state = State.load(data)
        self._keepers: list[Keeper] = []

    async def run(self) -> None:
        """Keep everything running until SIGTERM or SIGINT; then stop everything."""
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        async with self.keeping():
            await stopping.wait()

    @contextlib.asynccontextmanager
    async def keeping(self) -> AsyncIterator[list[Keeper]]:
        """Start everything and keep it running while the block runs; then stop everything.

        Who calls this holds the lock of the data directory.
        """
        self._introduce()
        specs = await asyncio.to_thread(self._prepare)
        self._keepers = [
            Keeper(spec, self._state.processes[spec.name], self._data, self._save) for spec in specs
        ]
        ready = {keeper.spec.name: keeper.ready for keeper in self._keepers}
        tasks = [
            asyncio.create_task(
                keeper.keep([ready[name] for name in keeper.spec.after if name in ready])
            )
            for keeper in self._keepers
        ]
        try:
            yield self._keepers
        finally:
            await self._stop(tasks)

    def _introduce(self) -> None:
        own = ProcessRef.of(os.getpid())
        self._state.supervisor = Record(pid=os.getpid(), born=own.born if own else "")
        self._state.stage = Stage.STARTING
        self._state.problem = ""
        self._state.notes = []
        for record in self._state.processes.values():
            record.ready, record.failures, record.problem = False, 0, ""
        self._save()

    def _prepare(self) -> list[ProcessSpec]:
        """Make the data directory, the ports and the table; end strangers under our mark."""
        self._data.create()
        held = {name for name, record in self._state.processes.items() if record.ref.alive()}
        if "temporal" in held:
            held.add("temporal_ui")
        known = self._data.read(PORTS_FILE)
        ports, self._state.notes = port_numbers.choose(self._data.path, known, held)
        if ports != known:
            self._data.write(PORTS_FILE, ports)
        for note in self._state.notes:
            log.warning(note)
        specs = self._table(self._data, ports)
        if any(spec.name == "postgres" for spec in specs):
            # How the server is started depends on where its home could be made.
            self._data.cluster(fsync=Settings().pg_fsync == "on", create=True)
            specs = self._table(self._data, ports)
        end_unrecorded(self._data, self._state)
        old = self._state.processes
        self._state.processes = {spec.name: old.get(spec.name, Record()) for spec in specs}
        self._state.stage = Stage.RUNNING
        self._save()
        return specs

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        self._state.stage = Stage.STOPPING
        self._save()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for keeper in reversed(self._keepers):
            log.info("stopping %s", keeper.spec.name)
            await asyncio.to_thread(keeper.stop)
        self._state.stage = Stage.STOPPED
        # This process may live on: a command that kept a part of the stack for a while.
        self._state.supervisor = Record()
        self._save()

    def _save(self) -> None:
        self._state.save(self._data)


def end_unrecorded(data: DataDir, state: State) -> None:
    """End processes that bear our mark but stand in no record: their starter died in between."""
    recorded = {record.ref for record in state.processes.values()}
    for name, refs in marked(data.path).items():
        own = {ref.pid for ref in refs if ref in recorded}
        strangers = [ref for ref in refs if not own and ref not in recorded]
        if strangers:
            log.warning("ending %s, which no supervisor has recorded", name)
            stop(strangers)


def main(path: str) -> int:
    """Run the supervisor of this data directory unless it has one."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o077)
    data = DataDir(Path(path))
    data.create()
    lock = data.lock(patience=LOCK_PATIENCE)
    if not lock:
        return 0
    try:
        asyncio.run(Supervisor(data).run())
    except RefusedError as error:
        state = State.load(data)
        state.stage, state.problem = Stage.FAILED, error.message
        state.save(data)
        log.error(error.message)  # noqa: TRY400 - a sentence for the operator, no traceback
        return 1
    finally:
        lock.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
