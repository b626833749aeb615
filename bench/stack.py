"""The embedded stack of a bench: real processes in a directory of its own, nothing switched off."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.orders import ROOT, SAMPLES, now
from models.codec import load_company
from models.settings import Settings
from models.store import company
from models.store.database import Database
from starter.stack import control
from starter.stack.datadir import DataDir
from starter.stack.environment import PORTS_FILE, settings_of
from starter.stack.state import State
from starter.stack.table import TABLE_VARIABLE, ProcessSpec, whole_stack

WHOLE = "starter.stack.table:whole_stack"
WITHOUT_WORK = "bench.stack:without_work"


def without_work(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    """Return the stack without worker and dispatcher: what is taken in stays where it is."""
    return [s for s in whole_stack(data, ports) if s.name not in {"worker", "dispatcher"}]


@dataclass(frozen=True, slots=True)
class Stack:
    """One data directory; PostgreSQL syncs every commit, Temporal's file is in WAL mode."""

    data: DataDir

    @property
    def settings(self) -> Settings:
        """The settings of this stack's processes."""
        return settings_of(self.data)

    @property
    def ports(self) -> dict[str, int]:
        """On which port each server listens."""
        return self.data.read(PORTS_FILE)

    async def up(self, table: str = WHOLE) -> None:
        """Start what is missing of that table; return when all of it is healthy."""
        os.environ[TABLE_VARIABLE] = table
        await control.up(self.data, lambda _line: None)

    async def up_by_command(self) -> float:
        """Run ``zahltag up --detach`` as a user does; return how many seconds it took."""
        os.environ[TABLE_VARIABLE] = WHOLE
        program = Path(sys.executable).with_name("zahltag")
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(str(program), "--data-dir", str(self.data.path), "up", "--detach"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=ROOT,
        )
        if await process.wait():
            raise RuntimeError(f"`up` failed: see {self.data.path}/logs")
        return time.perf_counter() - began

    async def down(self) -> None:
        """Stop every process; the data stays."""
        await asyncio.to_thread(control.down, self.data)

    def pids(self) -> dict[str, int]:
        """Return which process has which number."""
        return {name: record.pid for name, record in State.load(self.data).processes.items()}


@contextlib.asynccontextmanager
async def fresh_stack() -> AsyncIterator[Stack]:
    """Give a place for a stack; at the end stop what runs there and remove all of it."""
    os.environ.pop("ZAHLTAG_PG_FSYNC", None)
    with tempfile.TemporaryDirectory(prefix="zahltag-bench-") as directory:
        stack = Stack(DataDir.at(Path(directory) / "data"))
        try:
            yield stack
        finally:
            await stack.down()
            # Root's cluster lies outside: PostgreSQL's account may not enter our directory.
            home = stack.data.cluster().home
            if not home.is_relative_to(stack.data.path):
                shutil.rmtree(home, ignore_errors=True)


async def set_company(database: Database) -> None:
    """Set the sample company."""
    profile = yaml.safe_load((SAMPLES / "company.yaml").read_text(encoding="utf-8"))
    async with database.transaction() as session:
        await company.put(session, load_company(profile), at=now(), by="bench")
