"""How much memory the worker holds while thousands of cases wait for their money (``FULL=1``)."""

from __future__ import annotations

from bench.chain import Chain
from bench.cpu import Meter, memory
from bench.load import drive
from bench.report import Result, figure
from bench.stack import Stack

CASES = 10_000
LONGEST = 3600.0


async def open_cases(stack: Stack, chain: Chain, cases: int = CASES) -> list[Result]:
    """Open the cases, and weigh the worker before and after."""
    worker = stack.pids()["worker"]
    before = memory(worker)
    numbers = [f"M-{n}" for n in range(cases)]
    await drive(chain, numbers, Meter({}), pay=False, longest=LONGEST)
    after = memory(worker)
    return [
        figure("worker_memory_before", before / 2**20, "MiB"),
        figure(f"worker_memory_{cases}_open_cases", after / 2**20, "MiB", baseline=before / 2**20),
    ]
