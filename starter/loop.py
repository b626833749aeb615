"""The event loop of our processes: uvloop, which halves what a round trip costs."""

from __future__ import annotations

import asyncio
import gc
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


def settle() -> None:
    """Let the garbage collector leave alone what is loaded by now, and look less often.

    A step makes thousands of small objects that die by their counts alone; looking through them
    after every 700 is a hundredth of an order's CPU. What lived long is looked through every few
    hundred cases all the same: a workflow that left the cache is a circle of 40 kB.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 5, 5)
