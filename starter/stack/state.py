"""What the supervisor tells the world: which processes it runs, since when, and what went wrong.

One file, replaced in one step after every change. It outlives its writer: the next supervisor finds
the living children by it, and ``down`` the orphans.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from starter.stack.datadir import DataDir
from starter.stack.processes import ProcessRef

FILE = "run/state.json"


class Stage(StrEnum):
    """What the supervisor is about."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(slots=True)
class Record:
    """One process: which one, how it was started, and how often it has failed in a row."""

    pid: int = 0
    born: str = ""
    fingerprint: str = ""
    ready: bool = False
    failures: int = 0
    restarts: int = 0
    problem: str = ""

    @property
    def ref(self) -> ProcessRef:
        """The process, alive or not."""
        return ProcessRef(self.pid, self.born)


@dataclass(slots=True)
class State:
    """The whole file."""

    supervisor: Record = field(default_factory=Record)
    stage: Stage = Stage.STOPPED
    problem: str = ""
    notes: list[str] = field(default_factory=list)
    processes: dict[str, Record] = field(default_factory=dict)

    @classmethod
    def load(cls, data: DataDir) -> State:
        """What was written last; an empty state if nothing, or another version, wrote it."""
        raw: dict[str, Any] = data.read(FILE)
        try:
            return cls(
                supervisor=Record(**raw["supervisor"]),
                stage=Stage(raw["stage"]),
                problem=raw["problem"],
                notes=raw["notes"],
                processes={name: Record(**record) for name, record in raw["processes"].items()},
            )
        except (KeyError, TypeError, ValueError):
            return cls()

    def save(self, data: DataDir) -> None:
        """Let everybody see it."""
        data.write(FILE, asdict(self))
