"""``make bench``: everything in one run on one stack; ``FULL=1`` adds what takes long."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator

from bench.chain import open_chain
from bench.dunning_select import dunning
from bench.floor_shop import open_floor
from bench.latency import accepted_to_mailed
from bench.memory import open_cases
from bench.ratio import compare
from bench.report import Result, figure, show, write
from bench.stack import WITHOUT_WORK, Stack, fresh_stack
from bench.webhooks import accepts
from starter.temporal import connect

LONGEST = 600.0
LONGEST_FULL = 7200.0


async def main() -> None:
    """Measure, write the results, show them."""
    full = os.environ.get("FULL", "") not in {"", "0"}
    # Ctrl-C and SIGTERM alike: what was started is stopped and removed.
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with asyncio.timeout(LONGEST_FULL if full else LONGEST), fresh_stack() as stack:
        results = await measure(stack, full=full)
    write(results)
    show(results)


async def measure(stack: Stack, *, full: bool) -> list[Result]:
    """Run every bench; the order matters, as some leave many rows behind."""
    with _said("a fresh stack"):
        await stack.up()
    results = list[Result]()
    async with open_chain(stack.settings) as chain:
        with _said("chain and floor, in turns"):
            async with open_floor(stack) as (floor, worker):
                results += await compare(stack, chain, floor, worker, 900 if full else 240)
        with _said("from accepted to mailed"):
            results += await accepted_to_mailed(stack, chain, 300 if full else 30)
        with _said("selection and hand-over of a dunning rule"):
            results += await dunning(await connect(stack.settings), full=full)
        if full:
            with _said("10,000 open cases"):
                results += await open_cases(stack, chain)
    with _said("down and up again"):
        await stack.down()
        results.append(figure("warm_up", await stack.up_by_command(), "s"))
    with _said("webhooks"):
        await stack.down()
        await stack.up(WITHOUT_WORK)
        results += await accepts(stack, 30.0 if full else 6.0)
    return results


@contextlib.contextmanager
def _said(what: str) -> Iterator[None]:
    began = time.perf_counter()
    print(f"{what} ...", end=" ", flush=True)
    yield
    print(f"{time.perf_counter() - began:.1f} s", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
