"""What must not be broken off in the middle: a hand-over goes on to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
# The event loop itself does not keep its tasks alive.
_UNDER_WAY: set[asyncio.Task[Any]] = set()


async def unbroken(effect: Coroutine[Any, Any, T]) -> T:
    """Bring the effect to its end, whatever becomes of the try that asked for it.

    Temporal may give a try up; broken off in the middle of a hand-over it would prove nothing. So
    the effect goes on, and by its lock it keeps the next try waiting.
    """
    task = asyncio.create_task(effect)
    _UNDER_WAY.add(task)
    task.add_done_callback(_UNDER_WAY.discard)
    return await asyncio.shield(task)
