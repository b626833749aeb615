"""Keeps one process of the table alive: adopts or starts it, watches it, starts it again."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from starter.stack.datadir import DataDir
from starter.stack.processes import ProcessRef, stop
from starter.stack.state import Record
from starter.stack.table import ProcessSpec

FIRST_DELAY, LONGEST_DELAY = 0.2, 10.0
# A process that lived this long has not failed at starting: the next failure is a first one.
PROVEN_AFTER = 30.0
LOOK_EVERY, ASK_EVERY = 0.2, 5.0

ROOT = Path(__file__).resolve().parents[2]

log = logging.getLogger(__name__)


class Keeper:
    """One process and everything known of it; ``ready`` is set while it answers."""

    def __init__(
        self, spec: ProcessSpec, record: Record, data: DataDir, save: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.record = record
        self.ready = asyncio.Event()
        self._data = data
        self._save = save
        self._child: subprocess.Popen[bytes] | None = None
        self._ref: ProcessRef | None = None

    async def keep(self, before: list[asyncio.Event]) -> None:
        """Run the process until cancelled; ``before`` are the ones that must be ready first."""
        delay = FIRST_DELAY
        while True:
            for event in before:
                await event.wait()
            began = time.monotonic()
            try:
                if not await asyncio.to_thread(self._adopt):
                    await asyncio.to_thread(self.spec.prepare)
                    self._start()
                problem = await self._watch()
            except Exception as error:  # noqa: BLE001 - one process's trouble must not end the rest
                problem = f"{self.spec.name}: {str(error) or type(error).__name__}"
            if not problem:
                return
            self.ready.clear()
            if time.monotonic() - began > PROVEN_AFTER:
                self.record.failures, delay = 0, FIRST_DELAY
            self.record.ready = False
            self.record.failures += 1
            self.record.problem = problem
            self._save()
            log.warning("%s; starting it again in %.1f s", problem, delay)
            await asyncio.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    def stop(self) -> None:
        """Stop the process and wait until it is gone."""
        if self._ref:
            stop([self._ref], self.spec.stop_signal, self.spec.patience)
        if self._child:
            self._child.wait()
        self.record.ready = False
        self._save()

    def _adopt(self) -> bool:
        """Take over a living process of a dead supervisor, if it runs as it should.

        One that was started differently (another port, say) is stopped first: never two.
        """
        if self._child and self._child.poll() is None:
            return True
        recorded = self.record.ref if self.record.ref.alive() else None
        living = self.spec.find() or recorded
        if not living or self.spec.once:
            return False
        if living == recorded and self.record.fingerprint == self.spec.fingerprint:
            log.info("%s lives on as process %d", self.spec.name, living.pid)
            self._ref, self._child = living, None
            return True
        stop([living], self.spec.stop_signal, self.spec.patience)
        return False

    def _start(self) -> None:
        self._data.heartbeat(self.spec.name).unlink(missing_ok=True)
        with self._data.open_log(self.spec.name) as output:
            self._child = subprocess.Popen(
                self.spec.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.spec.environment,
                cwd=self._data.cluster().home if self.spec.account.lowered else ROOT,
                **self.spec.account.lowered,
            )
        self._ref = ProcessRef.of(self._child.pid) or ProcessRef(self._child.pid, "")
        self.record.pid, self.record.born = self._ref.pid, self._ref.born
        self.record.fingerprint = self.spec.fingerprint
        self.record.restarts += 1
        self._save()
        log.info("%s started as process %d", self.spec.name, self._child.pid)

    async def _watch(self) -> str:
        """Return what is wrong once the process is gone or hung; nothing if its one job is done."""
        answered = asked = time.monotonic()
        while self._alive():
            now = time.monotonic()
            if not self.spec.once and (not self.ready.is_set() or now - asked > ASK_EVERY):
                asked = now
                if await self._answers():
                    answered = time.monotonic()
                elif self.spec.hung_after and now - answered > self.spec.hung_after:
                    await asyncio.to_thread(self.stop)
                    return f"{self.spec.name} gave no answer for {self.spec.hung_after:.0f} s"
            await asyncio.sleep(LOOK_EVERY)
        code = self._child.returncode if self._child else None
        if self.spec.once and code == 0:
            self._now_ready()
            return ""
        return f"{self.spec.name} ended{'' if code is None else f' with status {code}'}"

    async def _answers(self) -> bool:
        if not self._ref or not await self.spec.healthy(self._ref.pid):
            return False
        if not self.ready.is_set():
            if self.spec.settle:
                await self.spec.settle()
            self._now_ready()
        return True

    def _now_ready(self) -> None:
        self.record.ready, self.record.failures, self.record.problem = True, 0, ""
        self.ready.set()
        self._save()
        log.info("%s is ready", self.spec.name)

    def _alive(self) -> bool:
        if self._child:
            return self._child.poll() is None
        return bool(self._ref and self._ref.alive())
