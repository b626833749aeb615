"""Says how far a long piece of work is, and nothing about a short one."""

from __future__ import annotations

import time
from collections.abc import Callable

Say = Callable[[str], None]

QUIET_SECONDS = 2.0


class Progress:
    """Counts bytes; says a line every two seconds."""

    def __init__(self, say: Say, done: str) -> None:
        self._say = say
        self._done = done
        self._bytes = 0
        self._said = time.monotonic()

    def add(self, table: str, size: int) -> None:
        """Count what was done of a table."""
        self._bytes += size
        if time.monotonic() - self._said > QUIET_SECONDS:
            self._said = time.monotonic()
            self._say(f"{self._bytes / 1024**2:.0f} MB {self._done}, now {table}")
