"""Kills processes of one stack with SIGKILL, in a seeded order, while the supervisor mends."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable, Sequence

from starter.stack import control
from starter.stack.datadir import DataDir
from starter.stack.processes import ProcessRef
from starter.stack.state import State

VICTIMS = ("worker", "temporal", "postgres", "api", "dispatcher", "mailbox")


class Monkey:
    """Knows the processes of a stack by the supervisor's records; ``kills`` says what it did."""

    def __init__(self, data: DataDir, seed: int, describe: Callable[[], str]) -> None:
        self.kills: list[str] = []
        self._data = data
        self._random = random.Random(seed)  # noqa: S311 - it has to be repeatable
        self._describe = describe
        self._began = time.monotonic()

    async def rampage(self, victims: Sequence[str], pauses: tuple[float, float]) -> None:
        """Kill each of them once, whatever else is away at that moment."""
        for name in self._random.sample(victims, len(victims)):
            await asyncio.sleep(self._random.uniform(*pauses))
            await self.kill(name)

    async def kill(self, name: str) -> None:
        """Kill one process as soon as it works; an earlier kill may still keep it away."""
        while not (record := State.load(self._data).processes[name]).ready:  # noqa: ASYNC110 - it is a file
            await asyncio.sleep(0.05)
        self._send(name, record.ref)

    async def mended(self) -> None:
        """Wait until the supervisor has replaced everybody."""
        while not (await control.status(self._data)).healthy:  # noqa: ASYNC110 - they are asked
            await asyncio.sleep(0.2)

    def kill_all(self) -> None:
        """Kill everything at once, the supervisor first."""
        state = State.load(self._data)
        self._send("supervisor", state.supervisor.ref)
        for name, record in state.processes.items():
            self._send(name, record.ref)

    def note(self, line: str) -> None:
        """Print what happened, and when; pytest shows it where a test fails."""
        print(f"{time.monotonic() - self._began:5.1f} s  {line}", flush=True)  # noqa: T201

    def _send(self, name: str, ref: ProcessRef) -> None:
        if not ref.alive():
            return
        ref.send(signal.SIGKILL)
        self.kills.append(name)
        self.note(f"{name:<10} killed ({self._describe()})")
