"""The whole stack, with everything that our processes ask behind a proxy that can break."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING

from starter.stack.environment import stack_environment
from starter.stack.table import ProcessSpec, whole_stack

if TYPE_CHECKING:
    from starter.stack.datadir import DataDir

SERVERS = ("postgres", "temporal", "mailbox")
PROXIES = "CHAOS_PROXIES"
_THROUGH = ("ZAHLTAG_DATABASE_URL", "ZAHLTAG_TEMPORAL_ADDRESS", "ZAHLTAG_SMTP_PORT")


def tell(proxies: dict[str, int]) -> None:
    """Leave the ports of the proxies where the supervisor finds them."""
    os.environ[PROXIES] = ",".join(f"{name}={port}" for name, port in proxies.items())


def behind_proxies(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    """The table of such a stack; the worker can be armed with a failpoint (``armed``)."""
    told = (pair.partition("=") for pair in os.environ[PROXIES].split(","))
    given = stack_environment(data, ports | {name: int(port) for name, _, port in told})
    through = {name: given[name] for name in _THROUGH}
    specs = []
    for spec in whole_stack(data, ports):
        if spec.name in {"worker", "api", "dispatcher"}:
            spec = dataclasses.replace(spec, environment=spec.environment | through)  # noqa: PLW2901
        if spec.name == "worker":
            spec = dataclasses.replace(  # noqa: PLW2901
                spec, command=(sys.executable, "-m", "tests.chaos.armed")
            )
        specs.append(spec)
    return specs
