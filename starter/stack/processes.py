"""Knows processes by pid *and* birth, so that a recycled pid is never mistaken for an old process.

A pid alone says little: the process may be gone and its number given to somebody else's program.
Everything here that looks or kills compares the birth first.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

# In the environment of every process of a stack, and of what that process starts: finds orphans
# of which no record was written.
MARKER = "ZAHLTAG_STACK_PROCESS"

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class ProcessRef:
    """One process for all time: its pid and when it was born."""

    pid: int
    born: str

    @classmethod
    def of(cls, pid: int) -> ProcessRef | None:
        """Look a living process up; ``None`` if there is none (a zombie is none)."""
        born = _born(pid)
        return cls(pid, born) if born else None

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return bool(self.born) and _born(self.pid) == self.born

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this very process; nothing happens if it is gone."""
        try:
            if not hasattr(os, "pidfd_open"):
                if self.alive():
                    os.kill(self.pid, number)
                return
            # The descriptor holds on to the process: the number cannot be recycled in between.
            handle = os.pidfd_open(self.pid)
            try:
                if self.alive():
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)
        except (ProcessLookupError, OSError) as error:
            if self.alive() and isinstance(error, PermissionError):
                raise


def stop(
    refs: Iterable[ProcessRef], number: signal.Signals = signal.SIGTERM, patience: float = 10
) -> None:
    """Ask politely, wait, then insist; returns when all of them are gone."""
    waiting = [ref for ref in refs if ref.alive()]
    for ref in waiting:
        ref.send(number)
    if not _gone(waiting, patience):
        for ref in waiting:
            ref.send(signal.SIGKILL)
        _gone(waiting, 10)


def marker(name: str, data_dir: Path) -> str:
    """What stands in the environment of the process ``name`` of the stack in ``data_dir``."""
    return f"{name}@{data_dir}"


def marked(data_dir: Path) -> dict[str, list[ProcessRef]]:
    """Every living process that bears the mark of this data directory, by name, oldest first."""
    found: dict[str, list[ProcessRef]] = {}
    for process in psutil.process_iter():
        try:
            name, _, owner = process.environ().get(MARKER, "").partition("@")
        except (psutil.Error, OSError):
            continue
        ref = ProcessRef.of(process.pid) if owner == str(data_dir) else None
        if ref:
            found.setdefault(name, []).append(ref)
    for refs in found.values():
        refs.sort(key=lambda ref: (float(ref.born.rpartition(":")[2]), ref.pid))
    return found


def _gone(refs: list[ProcessRef], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while any(ref.alive() for ref in refs):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _born(pid: int) -> str:
    """When the process was born: ticks since boot on Linux, immune to clock corrections."""
    if pid <= 0:
        return ""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        if _BOOT_ID.exists():
            return ""
        return _born_elsewhere(pid)
    except (ProcessLookupError, OSError):
        return ""
    state, *rest = fields.rpartition(")")[2].split()
    if state in "ZX":
        return ""
    return f"{_BOOT_ID.read_text(encoding='ascii').strip()}:{rest[18]}"


def _born_elsewhere(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return ""
        return f"epoch:{process.create_time():.2f}"
    except psutil.Error:
        return ""
