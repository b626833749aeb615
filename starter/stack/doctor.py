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
from starter.stack.environment import PORTS_FILE, is_external, settings_of
from starter.stack.output_check import check_output
from starter.stack.payload_check import check_payloads
from starter.stack.ports import is_free
from starter.stack.schedule_check import check_schedules

ENOUGH_SPACE = 1024**3
_EVERYWHERE = (
    check_database,
    check_temporal,
    check_payloads,
    check_schedules,
    check_mail,
    check_output,
)


async def examine(data: DataDir) -> list[Check]:
    """Make every check that applies, and return the findings in a fixed order."""
    checks = [] if is_external() else [check async for check in _embedded(data)]
    try:
        settings = settings_of(data)
    except RefusedError as refused:
        return [*checks, Check("stack", ok=False, finding=refused.message, remedy="zahltag up")]
    for check in _EVERYWHERE:
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
    for place in dict.fromkeys((data.path, data.cluster().home)):
        free = shutil.disk_usage(place).free if place.exists() else ENOUGH_SPACE
        yield Check(
            f"disk space of {place}",
            free >= ENOUGH_SPACE,
            f"{free / ENOUGH_SPACE:.1f} GB are free",
            "free at least 1 GB: a full disk stops the database",
        )
    found = await control.status(data)
    for name in taken_ports(data, found):
        yield Check(
            f"port of {name}",
            ok=False,
            finding=f"another program listens on the port of {name}",
            remedy="`zahltag down`, then `zahltag up` chooses another port and names it",
        )
    for process in (found.supervisor, *found.processes):
        state = "is healthy" if process.healthy else "runs, but gives no answer"
        yield Check(
            f"process {process.name}",
            process.healthy,
            f"{process.name} {state if process.pid else 'does not run'}",
            f"`zahltag up` starts it; {data.log(process.name)} says why it ended",
        )


def taken_ports(data: DataDir, found: control.StackStatus) -> list[str]:
    """The servers that do not run and whose remembered port somebody else has now."""
    idle = {process.name for process in found.processes if not process.pid}
    ports = data.read(PORTS_FILE)
    return sorted(name for name in idle & set(ports) if not is_free(ports[name]))
