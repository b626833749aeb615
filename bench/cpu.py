"""How much CPU each process has used: a process counts with all its children, dead ones too.

Only the bench itself counts alone: the stack's supervisor is a child of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Meter:
    """The processes that are watched, by name."""

    pids: dict[str, int]

    def read(self) -> dict[str, float]:
        """Return the CPU seconds (user and system) that each has used since it was born."""
        return {name: _seconds(psutil.Process(pid)) for name, pid in self.pids.items()}


def used(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """Return what was used between two readings."""
    return {name: after[name] - before[name] for name in before}


def memory(pid: int) -> int:
    """Return the bytes that a process holds in memory (RSS)."""
    return int(psutil.Process(pid).memory_info().rss)


def _seconds(process: psutil.Process) -> float:
    own = process.cpu_times()
    if process.pid == os.getpid():
        return float(own.user + own.system)
    total = own.user + own.system + own.children_user + own.children_system
    for child in process.children(recursive=True):
        try:
            spent = child.cpu_times()
        except psutil.NoSuchProcess:  # it has just ended: its parent counts it from now on
            continue
        total += spent.user + spent.system + spent.children_user + spent.children_system
    return float(total)
