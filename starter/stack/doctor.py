"""Finds what is wrong with an installation, says it in plain words, and says what to do.

Works for the embedded stack and for servers elsewhere: for the latter only the settings count.
Each check stands alone; one that cannot be made says so and the others go on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator

from domain.errors import RefusedError
from starter.stack import control
from starter.stack.checks import Check, check_database, check_mail, check_temporal
from starter.stack.datadir import DataDir
from starter.stack.environment import is_external, settings_of

ENOUGH_SPACE = 1024**3


async def examine(data: DataDir) -> list[Check]:
    """Make every check that applies, and return the findings in a fixed order."""
    checks = [] if is_external() else [check async for check in _embedded(data)]
    try:
        settings = settings_of(data)
    except RefusedError as refused:
        return [*checks, Check("stack", ok=False, finding=refused.message, remedy="zahltag up")]
    for check in (check_database, check_temporal, check_mail):
        checks += await check(settings)
    return checks


async def _embedded(data: DataDir) -> AsyncIterator[Check]:
    writable = data.path.is_dir() and os.access(data.path, os.W_OK | os.X_OK)
    yield Check(
        "data directory",
        writable,
        f"{data.path} {'can be written' if writable else 'is missing or cannot be written'}",
        "start with `zahltag up`, or name a directory of yours with --data-dir",
    )
    if not writable:
        return
    for place in {data.path, data.cluster().home}:
        free = shutil.disk_usage(place).free if place.exists() else ENOUGH_SPACE
        yield Check(
            f"disk space of {place}",
            free >= ENOUGH_SPACE,
            f"{free / ENOUGH_SPACE:.1f} GB are free",
            "free at least 1 GB: a full disk stops the database",
        )
    found = await control.status(data)
    for note in found.notes:
        yield Check("ports", ok=True, finding=note)
    for process in (found.supervisor, *found.processes):
        state = "is healthy" if process.healthy else "runs, but gives no answer"
        yield Check(
            process.name,
            process.healthy,
            f"{process.name} {state if process.pid else 'does not run'}",
            f"`zahltag up` starts it; {data.log(process.name)} says why it ended",
        )
