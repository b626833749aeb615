"""The doctor's look at the payloads: whether they are encrypted, and whether a key is missing."""

from __future__ import annotations

import asyncio
from collections import Counter

from models.settings import Settings
from starter.stack.checks import Check
from starter.stack.payload_keys import known

LOOKED_AT = 200


async def check_payloads(settings: Settings) -> list[Check]:
    """Say with which key payloads are encrypted, and which keys the newest open cases lack.

    Nothing is said about keys that are needed while Temporal is away: another check names that.
    """
    from temporalio.service import RPCError  # noqa: PLC0415 - slow to import

    from starter.payload_key_use import keys_of_open_cases  # noqa: PLC0415 - slow to import
    from starter.temporal import connect  # noqa: PLC0415 - slow to import

    names = [key.id for key in known(settings)]
    try:
        async with asyncio.timeout(10):
            client = await connect(settings)
        async with asyncio.timeout(30):
            used = await keys_of_open_cases(client, most=LOOKED_AT)
    except (OSError, RPCError, RuntimeError, TimeoutError, ValueError):
        used = Counter()
    missing = sorted(set(used) - {*names, ""})
    state = f"encrypted with the key {names[0]}" if names else "in clear: no key is set"
    lacking = f"; open cases need the key {', '.join(missing)}, which is not set" if missing else ""
    return [
        Check(
            "payloads",
            not missing,
            f"payloads in Temporal are {state}{lacking}",
            "put the key back into ZAHLTAG_PAYLOAD_KEYS of every process; until then these cases"
            " stand still and lose nothing",
        )
    ]
