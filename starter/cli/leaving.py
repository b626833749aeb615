"""How a command ends: with its exit code, whatever Temporal's threads are doing.

The SDK's Rust threads have no end of their own. Where one of them still wants the interpreter while
that is being taken down, Python aborts with exit code 134, after the command has done everything
(https://github.com/temporalio/sdk-python/issues/300). So a process that has used the SDK does not
take the interpreter down: it says all it has to say and leaves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

_SDK = "temporalio.bridge.temporal_sdk_bridge"


def run_and_leave(command: Callable[[], None]) -> NoReturn:
    """Run a command and end the process with its exit code."""
    code: object = 0
    try:
        command()
    except SystemExit as leaving:
        code = leaving.code
    if _SDK not in sys.modules:
        sys.exit(code)  # type: ignore[arg-type] # what sys.exit takes, it was given
    leave(code if isinstance(code, int) else int(code is not None))


def leave(code: int) -> NoReturn:
    """End the process now; what was printed is written."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # whoever listened has gone, or the disk is full
            code = code or 1
    os._exit(code)
