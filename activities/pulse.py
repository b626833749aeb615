"""A sign of life while an effect takes its time: what a dead worker held is soon tried elsewhere.

Without it the server would wait for the whole of one try, which has to suit the slowest mail
server, before it hands the effect to another worker.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

EVERY = timedelta(seconds=2)


class Pulse(Interceptor):
    """Beats for every activity whose policy wants it; short ones end before the first beat."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap every activity."""
        return _Beating(next)


class _Beating(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401
        if activity.info().heartbeat_timeout is None:
            return await self.next.execute_activity(input)
        beating = asyncio.create_task(_beat())
        effect = asyncio.create_task(self.next.execute_activity(input))
        try:
            return await asyncio.shield(effect)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            if details and details.cancel_requested:
                # The case is being cancelled: what is under way is finished, then undone.
                return await effect
            effect.cancel()
            raise
        finally:
            beating.cancel()


async def _beat() -> None:
    while True:
        await asyncio.sleep(EVERY.total_seconds())
        activity.heartbeat()
