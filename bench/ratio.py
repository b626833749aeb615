"""The chain beside the floor: rate, CPU, commits and history of the same orders, in turns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

import asyncpg
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client

from bench.chain import Chain, case_id
from bench.cpu import Meter
from bench.floor_shop import FloorShop
from bench.load import Driven, Way, drive
from bench.report import Result, figure
from bench.stack import Stack

WARM_UP = 40
# In turns: whatever drifts (caches, disk, neighbours) meets both alike. The middle turn counts.
TURNS = "CFFCCF"
TARGET = 0.7
SERVERS = ("postgres", "temporal", "mailbox")
DESCRIBED = 20


@dataclass
class Side:
    """One of the two, and what came of its turns."""

    way: Way
    meter: Meter
    orders: int = 0
    looks: int = 0
    rates: list[float] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Completed orders per second in the middle turn."""
        return median(self.rates)

    def per_order(self, name: str) -> float:
        """Milliseconds of CPU per order of one process."""
        return 1000 * self.cpu.get(name, 0.0) / self.orders

    def add(self, run: Driven, numbers: Sequence[str]) -> None:
        """Count a turn."""
        self.orders += run.orders
        self.looks += run.looks
        self.rates.append(run.rate)
        self.numbers += numbers
        for name, seconds in run.cpu.items():
            self.cpu[name] = self.cpu.get(name, 0.0) + seconds


async def compare(
    stack: Stack, chain: Chain, floor: FloorShop, floor_worker: int, orders: int
) -> list[Result]:
    """Run both in turns, ``orders`` each, after a warm-up; return the figures."""
    pids = stack.pids() | {"bench": os.getpid()}
    watched = {name: pids[name] for name in (*SERVERS, "bench")}
    ours = {name: pids[name] for name in ("worker", "dispatcher")}
    sides = {
        "C": Side(chain, Meter(watched | ours)),
        "F": Side(floor, Meter(watched | {"worker": floor_worker})),
    }
    for name, side in sides.items():
        await drive(side.way, [f"warm-{name}{n}" for n in range(WARM_UP)], side.meter)
    share = orders // TURNS.count("C")
    before = {name: await _commits(side.way.url) for name, side in sides.items()}
    for turn, name in enumerate(TURNS):
        numbers = [f"{name}{turn}-{n}" for n in range(share)]
        sides[name].add(await drive(sides[name].way, numbers, sides[name].meter), numbers)
    commits = {name: await _commits(side.way.url) for name, side in sides.items()}
    per_order = [
        (commits[name] - before[name] - side.looks) / side.orders for name, side in sides.items()
    ]
    results = await _figures(sides["C"], sides["F"], stack)
    return [*results, figure("commits_per_order", per_order[0], "count", baseline=per_order[1])]


async def _figures(chain: Side, floor: Side, stack: Stack) -> list[Result]:
    both = [sum(side.cpu.values()) * 1000 / side.orders for side in (chain, floor)]
    found = [
        figure("orders_chain", chain.rate, "orders/s", baseline=floor.rate, target=TARGET),
        figure("orders_chain_slowest_turn", min(chain.rates), "orders/s", baseline=chain.rate),
        figure("orders_floor", floor.rate, "orders/s"),
        figure("orders_floor_slowest_turn", min(floor.rates), "orders/s", baseline=floor.rate),
        figure("cpu_per_order", both[0], "ms", baseline=both[1]),
    ]
    found += [
        figure(
            f"cpu_per_order_{name}",
            chain.per_order(name),
            "ms",
            baseline=floor.per_order(name) or None,
        )
        for name in ("temporal", "postgres", "worker", "dispatcher", "mailbox", "bench")
    ]
    client = await Client.connect(stack.settings.temporal_address)
    events, size = await _history(client, chain.numbers)
    least_events, least_size = await _history(client, floor.numbers)
    found.append(figure("history_events_per_case", events, "events", baseline=least_events))
    found.append(figure("history_bytes_per_case", size, "bytes", baseline=least_size))
    return found


async def _commits(url: str) -> int:
    """Return how many transactions were committed in a database; backends report once a second."""
    await asyncio.sleep(1.2)
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetchval(
            "select xact_commit from pg_stat_database where datname = current_database()"
        )
    finally:
        await connection.close()
    return int(found)


async def _history(client: Client, numbers: Sequence[str]) -> tuple[float, float]:
    """Return the mean number of events and bytes of some cases' histories."""
    some = numbers[:: max(len(numbers) // DESCRIBED, 1)]
    events = size = 0
    for number in some:
        described = await client.workflow_service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(
                namespace="default", execution=WorkflowExecution(workflow_id=case_id(number))
            )
        )
        events += described.workflow_execution_info.history_length
        size += described.workflow_execution_info.history_size_bytes
    return events / len(some), size / len(some)
