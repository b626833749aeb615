"""The doctor's look at the Schedules of the dunning rules."""

from __future__ import annotations

import asyncio

from models.settings import Settings
from starter.stack.checks import Check


async def check_schedules(settings: Settings) -> list[Check]:
    """Whether every rule has the Schedule that it should have; nothing where a server is away.

    That a server is away, other checks say.
    """
    from starter.schedules import not_as_they_should_be  # noqa: PLC0415 - slow to import

    try:
        async with asyncio.timeout(20):
            wrong = await not_as_they_should_be(settings)
    except Exception:  # noqa: BLE001 - whatever is away, another line names it
        return []
    return [
        Check(
            "schedules",
            not wrong,
            f"Schedules of rules are not as they should be: {'; '.join(wrong)}"
            if wrong
            else "every dunning rule has its Schedule",
            "the dispatcher mends them within a minute: look whether it runs, and at its log",
        )
    ]
