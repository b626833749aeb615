"""Drives orders through: taken in, paid once they wait for their money, until all are closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import asyncpg

from bench.cpu import Meter, used

LOOK_EVERY = 0.05
PAYERS = 4
LONGEST = 300.0

_WAITING = """
select id, invoice_no from case_file where closed_at is null and status = 'awaiting_payment'
"""
_LEFT = """
select count(*) from case_file where closed_at is null and ($1 or status <> 'awaiting_payment')
"""


class Way(Protocol):
    """One way of working an order off: the chain, or the floor."""

    name: str
    url: str

    async def take_in(self, number: str) -> None:
        """Take an order in; its case is on its way."""

    async def pay(self, case_id: str, invoice_no: str) -> None:
        """Book the payment of an invoice and tell its case."""


@dataclass
class Driven:
    """One run: how many orders in what time, at whose expense; when each was accepted.

    ``looks`` counts the statements of the bench that only watched.
    """

    orders: int
    looks: int = 0
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    accepted: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Completed orders per second."""
        return self.orders / self.seconds


async def drive(
    way: Way,
    numbers: Sequence[str],
    meter: Meter,
    *,
    at_once: int = 8,
    per_second: float | None = None,
    pay: bool = True,
    longest: float = LONGEST,
) -> Driven:
    """Take all orders in (``at_once`` at a time, or so many per second) and see them to their end.

    The end is a closed case, or where nothing is paid one that waits for its money.
    """
    run = Driven(len(numbers))
    before, began = meter.read(), time.perf_counter()
    async with asyncio.timeout(longest):
        taking = asyncio.create_task(_take_in(way, numbers, run, at_once, per_second))
        await _attend(way, taking, run, pay=pay)
        await taking
    run.seconds = time.perf_counter() - began
    await asyncio.sleep(0.5)  # what follows the last commit belongs to the cost as well
    run.cpu = used(before, meter.read())
    return run


async def _take_in(
    way: Way, numbers: Sequence[str], run: Driven, at_once: int, per_second: float | None
) -> None:
    places, began = asyncio.Semaphore(at_once), time.perf_counter()

    async def one(number: str) -> None:
        async with places:
            await way.take_in(number)
            run.accepted[number] = time.time()

    async with asyncio.TaskGroup() as group:
        for position, number in enumerate(numbers):
            if per_second:
                due = began + position / per_second
                await asyncio.sleep(max(due - time.perf_counter(), 0))
            group.create_task(one(number))


async def _attend(way: Way, taking: asyncio.Task[None], run: Driven, *, pay: bool) -> None:
    """Pay every case that waits for its money; return when none is on its way any more."""
    connection = await asyncpg.connect(way.url)
    places, told = asyncio.Semaphore(PAYERS), set[str]()

    async def one(case_id: str, invoice_no: str) -> None:
        async with places:
            await way.pay(case_id, invoice_no)

    try:
        async with asyncio.TaskGroup() as group:
            while True:
                all_in = taking.done()
                run.looks += pay + all_in
                for row in await connection.fetch(_WAITING) if pay else ():
                    if row["id"] not in told:
                        told.add(row["id"])
                        group.create_task(one(row["id"], row["invoice_no"]))
                if all_in and not await connection.fetchval(_LEFT, pay):
                    return
                await asyncio.sleep(LOOK_EVERY)
    finally:
        await connection.close()
