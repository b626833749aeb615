"""Chooses the ports of a stack and remembers them, so that addresses stay what they were.

Ports come from below the range that the system hands out for outgoing connections: a remembered
port is not taken by chance while the stack is down. Where the search starts depends on the data
directory, so that stacks that are made at the same time do not meet.
"""

from __future__ import annotations

import hashlib
import random
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOWEST, HIGHEST = 20_000, 31_999
NAMES = ("postgres", "temporal", "temporal_ui", "mailbox", "api")


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Any free port, for a server that lives shortly."""
    return next(filter(is_free, _from(random.randrange(LOWEST, HIGHEST))))  # noqa: S311 - no secret


def choose(
    data_dir: Path, remembered: dict[str, int], held: set[str]
) -> tuple[dict[str, int], list[str]]:
    """Give every name its port: the remembered one unless somebody else has it now.

    ``held`` names the servers of this stack that are running: their ports are theirs. Returns the
    ports and a sentence for each one that had to change.
    """
    digest = hashlib.sha256(str(data_dir).encode()).digest()
    candidates = filter(is_free, _from(LOWEST + int.from_bytes(digest[:4]) % (HIGHEST - LOWEST)))
    ports: dict[str, int] = {}
    notes = []
    for name in NAMES:
        known = remembered.get(name)
        if known and (name in held or is_free(known)):
            ports[name] = known
            continue
        taken = {*remembered.values(), *ports.values()}
        ports[name] = next(port for port in candidates if port not in taken)
        if known:
            notes.append(
                f"Port {known} ({name}) is taken by another program; {ports[name]} is used now."
            )
    return ports, notes


def _from(start: int) -> Iterator[int]:
    yield from range(start, HIGHEST + 1)
    yield from range(LOWEST, start)
