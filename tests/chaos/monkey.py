"""Carries out a plan of kills, stops and faults against a stack behind proxies, and keeps a log."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from domain.errors import RefusedError
from starter.stack import control
from starter.stack.datadir import DataDir
from starter.stack.processes import ProcessRef
from starter.stack.state import State
from tests.chaos import armed
from tests.chaos.plan import Act
from tests.faults.proxy import Judge, Proxy, Verdict, commits, content, first

# Generous: it says that a process never comes back, not how fast it should.
RECOVERY = 300.0
LOST = {
    "commit lost": (commits, Verdict.CUT),
    "answer to commit lost": (commits, Verdict.CUT_AFTER),
}
LOST |= {"mail lost": (content, Verdict.CUT), "answer to mail lost": (content, Verdict.CUT_AFTER)}
SAYS = {"says later": b"451 4.7.1 Greylisted, come back later\r\n"}
SAYS |= {"refuses": b"550 5.1.1 Nobody of that name here\r\n"}
AT_ONCE = 2
MOST_AWAY = 1


class Monkey:
    """``kills`` and ``faults`` say what it did, ``recoveries`` how long each process was away."""

    def __init__(
        self,
        data: DataDir,
        proxies: Mapping[str, Proxy],
        log: Path,
        describe: Callable[[], str],
    ) -> None:
        self.kills: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.lost: list[str] = []
        self.recoveries: list[tuple[str, float]] = []
        self._data = data
        self._proxies = proxies
        self._log = log
        self._describe = describe
        self._busy: set[str] = set()
        self._away: set[str] = set()
        self._began = time.monotonic()

    async def carry_out(self, acts: list[Act], seconds: float) -> None:
        """Do one act after the other for so long; what lasts goes on beside the next ones.

        On a slow machine fewer of them: what is killed all the time shows nothing.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for act in acts:
                    group.create_task(self._do(act))
                    await asyncio.sleep(act.pause)
                    while len(self._away) > MOST_AWAY:  # noqa: ASYNC110 - it is a count
                        await asyncio.sleep(0.2)
                    if time.monotonic() - self._began > seconds:
                        break
        finally:
            for proxy in self._proxies.values():
                proxy.heal()

    def note(self, line: str) -> None:
        """Write a line to the log, with the time since the beginning."""
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"{time.monotonic() - self._began:7.2f} s  {line}\n")

    async def _do(self, act: Act) -> None:
        if act.kind == "kill":
            await asyncio.gather(*(self._kill(name) for name in act.targets))
        elif act.kind == "kill all":
            await self._kill_all()
        elif act.kind == "stop":
            await self._stop(act.targets[0], act.seconds)
        elif act.kind == "arm":
            await self._arm(act.targets[0])
        else:
            await self._fault(act.targets[0], act.seconds)

    async def _kill(self, name: str) -> None:
        """Kill a process as soon as it works; an earlier kill may still keep it away."""
        if not self._take(f"kill {name}"):
            return
        while not (record := State.load(self._data).processes[name]).ready:  # noqa: ASYNC110 - it is a file
            await asyncio.sleep(0.05)
        self._send_kill(name, record.ref)
        await self._recovered(name, record.ref)
        self._busy.discard(f"kill {name}")

    def _send_kill(self, name: str, ref: ProcessRef) -> None:
        if ref.alive():
            ref.send(signal.SIGKILL)
            self.kills[name] += 1
            self.note(f"kill {name} ({self._describe()})")

    async def _recovered(self, name: str, killed: ProcessRef) -> None:
        """Wait until the process is there and healthy again, and note how long it was away."""
        began = time.monotonic()
        self._away.add(name)
        while True:
            record = State.load(self._data).processes.get(name)
            if record and record.ready and record.ref not in {killed, ProcessRef(0, "")}:
                break
            if time.monotonic() - began > RECOVERY:
                self.note(f"{name} is not back")
                self.lost.append(f"{name} was not back {RECOVERY:.0f} s after its kill")
                return
            await asyncio.sleep(0.05)
        self._away.discard(name)
        self.recoveries.append((name, time.monotonic() - began))
        self.note(f"{name} is back after {self.recoveries[-1][1]:.1f} s")

    async def _kill_all(self) -> None:
        """Kill everything, the supervisor first; ``up`` brings it back."""
        if not self._take("everything"):
            return
        state, began = State.load(self._data), time.monotonic()
        self._away |= set(state.processes)
        self._send_kill("supervisor", state.supervisor.ref)
        for name, record in state.processes.items():
            self._send_kill(name, record.ref)
        while True:
            try:
                await control.up(self._data, lambda _line: None)
                break
            except RefusedError as refused:
                self.note(refused.message)
                if time.monotonic() - began > RECOVERY:
                    self.lost.append(f"everything was killed, and `up` says: {refused.message}")
                    return
        self.recoveries.append(("everything", time.monotonic() - began))
        self._away -= set(state.processes)
        self.note(f"everything is back after {self.recoveries[-1][1]:.1f} s")
        self._busy.discard("everything")

    async def _stop(self, name: str, seconds: float) -> None:
        """Stop a process, with its children, and let the very same ones go on."""
        if not self._take(f"stop {name}"):
            return
        self.note(f"stop {name} for {seconds:.1f} s")
        self.faults[f"{name} stopped"] += 1
        stopped = self._family(name)
        try:
            for ref in stopped:
                ref.send(signal.SIGSTOP)
            await asyncio.sleep(seconds)
        finally:
            for ref in stopped:
                ref.send(signal.SIGCONT)
            self._busy.discard(f"stop {name}")

    def _family(self, name: str) -> list[ProcessRef]:
        """Return a process and what it has started: PostgreSQL's backends, say."""
        record = State.load(self._data).processes.get(name)
        if not record or not record.ref.alive():
            return []
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(record.pid).children(recursive=True)
            return [record.ref, *(ref for child in children if (ref := ProcessRef.of(child.pid)))]
        return [record.ref]

    async def _arm(self, failpoint: str) -> None:
        """Leave a failpoint for the worker and let it start anew."""
        armed.arm(self._data.path, failpoint)
        self.note(f"arm {failpoint}")
        self.faults["failpoint"] += 1
        await self._kill("worker")

    async def _fault(self, target: str, seconds: float) -> None:
        server, _, fault = target.partition(":")
        if not self._take(server):
            return
        self.note(f"{server}: {fault} for {seconds:.1f} s")
        self.faults[target.replace(":", " ")] += 1
        proxy = self._proxies[server]
        try:
            if fault == "cut":
                proxy.cut()
            elif fault == "away":
                proxy.leave()
            elif fault == "stalled":
                proxy.stall()
            elif fault == "slow":
                proxy.delay = 0.3
            elif fault == "disk full":
                self._limit_files("mailbox", 100)
            else:
                proxy.judge = _judge(fault)
            await asyncio.sleep(0 if fault == "cut" else seconds)
        finally:
            proxy.heal()
            if fault == "disk full":
                self._limit_files("mailbox", resource.RLIM_INFINITY)
            self._busy.discard(server)

    def _limit_files(self, name: str, size: int) -> None:
        """Let a process write no file beyond a size: to it that is a disk without space."""
        pid = State.load(self._data).processes[name].pid
        with contextlib.suppress(ProcessLookupError):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))

    def _take(self, what: str) -> bool:
        """Whether nobody is at it yet; it is ours then."""
        if what in self._busy:
            self.note(f"{what} is being broken already")
            return False
        self._busy.add(what)
        return True


def _judge(fault: str) -> Judge:
    if fault in LOST:
        wanted, verdict = LOST[fault]
        return first(AT_ONCE, wanted, verdict)
    return first(AT_ONCE, lambda piece: piece.startswith(b"RCPT"), SAYS[fault])
