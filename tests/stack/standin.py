"""A process that does nothing but beat, until killed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from starter.stack.heartbeat import beat

if __name__ == "__main__":
    asyncio.run(beat(Path(os.environ["ZAHLTAG_HEARTBEAT_FILE"])))
