"""Processes that may die: ``python -m tests.activities.mortal`` forks one for each activity.

It imports everything once and then holds no loop, connection or thread of its own, so that a child
costs some milliseconds, not the seconds of a worker's start.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import pickle
import sys
import traceback
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from activities.failpoints import Armed, Failpoint
from activities.services import Services
from connectors.mail import SmtpMailer
from models.settings import Settings
from models.store.database import Database
from tests.activities.driver import Occasion, run_surrounded

ROOT = Path(__file__).resolve().parents[2]
SURVIVED = 0


@dataclass(frozen=True, slots=True)
class Life:
    """What a child is made for: one activity, and where it dies in it."""

    settings: Settings
    occasion: Occasion
    failpoint: Failpoint


@dataclass(frozen=True, slots=True)
class Mortals:
    """The process that makes mortal ones, seen from a test."""

    process: Process

    async def live(self, life: Life) -> int:
        """Let a process live that life; return its exit code."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(pickle.dumps(life))
        return int(await self.process.stdout.readline())


@contextlib.asynccontextmanager
async def mortals() -> AsyncIterator[Mortals]:
    """Start the process that forks; it ends with its input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )
    yield Mortals(process)
    assert process.stdin
    process.stdin.close()
    await process.wait()


def serve() -> None:
    """Fork a child for each life that is asked for, and say how it ended."""
    silence = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=silence)
    gc.freeze()
    with contextlib.suppress(EOFError):
        while True:
            life = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the test that started it
            child = os.fork()
            if not child:
                _live(life)
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)  # noqa: T201 - the answer


def _live(life: Life) -> None:
    try:
        asyncio.run(_run(life))
    except BaseException:  # noqa: BLE001 - nothing may come back into the loop of the parent
        traceback.print_exc()
        os._exit(1)
    os._exit(SURVIVED)


async def _run(life: Life) -> None:
    database, mailer = Database.connect(life.settings), SmtpMailer(life.settings)
    services = Services(database, mailer, life.settings)
    await run_surrounded(services, Armed(life.failpoint), life.occasion)


if __name__ == "__main__":
    serve()
