"""Processes that may die: ``python -m tests.activities.mortal`` forks one for each activity.

It imports everything once, and tries each effect once without a fault, so that a child finds warm
caches and costs some milliseconds, not the seconds of a worker's start. Between two children it
holds no loop, no connection and no thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import sys
import traceback
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import structlog

from activities.failpoints import Armed, Failpoint, Points
from activities.services import Services
from connectors.letter_spool import LetterSpool
from connectors.mail import SmtpMailer
from domain.calendar import is_working_day
from models.settings import Settings
from models.store.database import Database
from tests.activities.driver import Occasion, run_surrounded

ROOT = Path(__file__).resolve().parents[2]
SURVIVED = 0
RENDERING = ("create_invoice", "cancel_invoice", "send_notice")


@dataclass(frozen=True, slots=True)
class Life:
    """What a child is made for: one activity, and where it dies in it; or nowhere (a rehearsal)."""

    settings: Settings
    occasion: Occasion
    failpoint: Failpoint | None = None


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

    async def rehearse(self, settings: Settings, occasion: Occasion) -> None:
        """Have the effect happen once, where its failure would be no test's."""
        assert await self.live(Life(settings, occasion)) == SURVIVED


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
    is_working_day(date(2026, 11, 23), "DE")  # 280 modules of holidays, loaded by the first day
    databases: dict[str, Database] = {}
    with contextlib.suppress(EOFError):
        while True:
            life = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the test that started it
            url = life.settings.database_url.get_secret_value()
            database = databases.setdefault(url, Database.connect(life.settings))
            print(_live(life, database), flush=True)  # noqa: T201 - the answer


def _live(life: Life, database: Database) -> int:
    if life.failpoint is None:
        # Threads do not live on in a child, and the PDF renderer would wait for its own.
        if life.occasion.activity not in RENDERING:
            asyncio.run(_run(life, database))
        return SURVIVED
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    try:
        asyncio.run(_run(life, database))
    except BaseException:  # noqa: BLE001 - nothing may come back into the loop of the parent
        traceback.print_exc()
        os._exit(1)
    os._exit(SURVIVED)


async def _run(life: Life, database: Database) -> None:
    mailer = SmtpMailer(life.settings)
    letters = LetterSpool(life.settings.letter_spool_dir)
    services = Services(database, mailer, life.settings, letters)
    points = Armed(life.failpoint) if life.failpoint else Points()
    await run_surrounded(services, points, life.occasion)
    await mailer.aclose()
    await database.close()


if __name__ == "__main__":
    serve()
