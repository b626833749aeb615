"""The event loop of our processes: uvloop, which halves what a round trip costs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a process until its main coroutine ends."""
    try:
        import uvloop  # noqa: PLC0415 - there is none for Windows
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)
