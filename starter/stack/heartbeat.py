"""How a process without a port says that it is alive: it touches a file every second.

The file holds the pid of its process, so that a predecessor's last beat is not taken for a life
sign of its successor.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

INTERVAL = 1.0
MAX_AGE = 10.0


async def beat(path: Path) -> None:
    """Touch the file every second until cancelled; start this once the process does its work."""
    _begin(path)
    while True:
        await asyncio.sleep(INTERVAL)
        _touch(path)


def is_fresh(path: Path, pid: int, max_age: float = MAX_AGE) -> bool:
    """Whether the process ``pid`` has beaten within the last ``max_age`` seconds."""
    try:
        age = time.time() - path.stat().st_mtime
        return age < max_age and path.read_text(encoding="ascii") == str(pid)
    except (OSError, ValueError):
        return False


def _begin(path: Path) -> None:
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(str(os.getpid()), encoding="ascii")
    new.replace(path)


def _touch(path: Path) -> None:
    try:
        os.utime(path)
    except FileNotFoundError:
        _begin(path)
