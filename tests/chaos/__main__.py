"""``make chaos``: orders of every kind for some minutes, while everything is killed and broken.

``python -m tests.chaos --seed 7 --minutes 3``. Exits 0 if the invariants held, 1 if not: the data
directory is kept then, with the monkey's log.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from models.settings import Settings
from models.store.database import Database
from starter.stack.datadir import DataDir
from starter.stack.environment import PORTS_FILE
from starter.stack.throwaway import running_stack
from starter.temporal import connect
from tests.chaos import report, stories, table
from tests.chaos.dunning import DEBTORS, Debts
from tests.chaos.monkey import Monkey
from tests.chaos.plan import acts
from tests.chaos.proof import proof, unfinished
from tests.chaos.shop import ChaosShop, Order
from tests.chaos.tally import rest, tally
from tests.faults.proxy import Address, Proxy

ORDERS_PER_MINUTE = 36
# Pauses between tries grow to minutes; what is not over then will never be.
QUIET = 420.0
TABLE = "tests.chaos.table:behind_proxies"


class Run:
    """One run: a stack, its shops, its monkey."""

    def __init__(self, seed: int, minutes: float, path: Path) -> None:
        self.seed, self.seconds = seed, minutes * 60
        self.data = DataDir.at(path)
        self.log = path / "chaos.log"
        self.failed = True
        self.last = f"seed={seed} kills=0 attempts=0 effects=0"
        self._rested = 0.0
        self._chance = random.Random(seed)  # noqa: S311 - it has to be repeatable
        self._proxies = {name: Proxy(self._server(name)) for name in table.SERVERS}

    async def go(self) -> list[str]:
        """Run it; return a line for everything that does not hold."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        async with contextlib.AsyncExitStack() as stack:
            ports = {
                name: await stack.enter_async_context(proxy.listening())
                for name, proxy in self._proxies.items()
            }
            table.tell(ports)
            say("starting the stack")
            settings = await stack.enter_async_context(
                running_stack(self.data.path, TABLE, keep=lambda: self.failed)
            )
            try:
                found = await self._play(settings)
            except asyncio.CancelledError:
                self.failed = False  # nobody will look at it
                raise
            self.failed = bool(found)
        return found

    async def _play(self, settings: Settings) -> list[str]:
        shop, debts = ChaosShop(settings), Debts(settings)
        monkey = Monkey(self.data, self._proxies, self.log, lambda: progress(shop))
        told = stories.write(int(ORDERS_PER_MINUTE * self.seconds / 60), self._chance)
        shop.orders = [order for order, _ in told]
        database = Database.connect(settings)
        try:
            await shop.connect()
            async with looked_after(shop):
                try:
                    async with asyncio.timeout(self.seconds + QUIET):
                        await self._live(shop, debts, monkey, told)
                        await self._quiet(settings, database, shop)
                except TimeoutError:
                    for line in await unfinished(database):
                        say(line)
                    say(f"not everything has ended within {QUIET:.0f} s: {progress(shop)}")
            await shop.look()
            found = await self._judge(settings, database, shop, monkey)
            return found + await debts.proof(database, settings, self.data)
        finally:
            await shop.close()
            await debts.office.close()
            await database.close()

    async def _live(
        self,
        shop: ChaosShop,
        debts: Debts,
        monkey: Monkey,
        told: list[tuple[Order, stories.Story]],
    ) -> None:
        say(
            f"{len(told)} orders come in, {DEBTORS} debtors are dunned;"
            f" {self.seconds / 60:g} minutes of kills and faults begin"
        )
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for order, story in told:
                chance = random.Random(f"{self.seed}-{order.number}")  # noqa: S311 - repeatable
                after = chance.uniform(0, self.seconds * 0.9)
                group.create_task(self._buy(shop, order, story, chance, after))
            chance = random.Random(f"{self.seed}-debts")  # noqa: S311 - repeatable
            group.create_task(debts.live(self.seconds, chance))
            group.create_task(self._tell(monkey, shop))
            await monkey.carry_out(acts(self.seed, self.seconds), self.seconds)
            self._rested = time.monotonic()
            say(f"the monkey rests after {time.monotonic() - began:.0f} s: {progress(shop)}")

    async def _buy(
        self,
        shop: ChaosShop,
        order: Order,
        story: stories.Story,
        chance: random.Random,
        after: float,
    ) -> None:
        await asyncio.sleep(after)
        await shop.send(order, times=chance.choice([1, 1, 2, 3]))
        await story(shop, order, chance)

    async def _tell(self, monkey: Monkey, shop: ChaosShop) -> None:
        began = time.monotonic()
        while time.monotonic() - began < self.seconds:
            await asyncio.sleep(15)
            now = time.monotonic() - began
            say(
                f"{now:4.0f} s  {monkey.kills.total()} kills, {monkey.faults.total()} faults; {progress(shop)}"
            )

    async def _quiet(self, settings: Settings, database: Database, shop: ChaosShop) -> None:
        """Wait until all cases have come to their end and nothing is on its way."""
        client = await connect(settings)
        while not all(order.done for order in shop.orders):  # noqa: ASYNC110 - they are seen by asking
            await asyncio.sleep(0.2)
        while await unfinished(database) or not await rest(client):  # noqa: ASYNC110 - same
            await asyncio.sleep(0.2)
        say(f"all is quiet {time.monotonic() - self._rested:.0f} s after the last fault")

    async def _judge(
        self, settings: Settings, database: Database, shop: ChaosShop, monkey: Monkey
    ) -> list[str]:
        client = await connect(settings)
        told = await tally(client)
        done = await report.effects(database)
        assert settings.mailbox_dir
        lines = monkey.lost + [f"not over: {line}" for line in await unfinished(database)]
        lines += await proof(database, client, shop, told, settings.mailbox_dir, self.data)
        for line in report.report(shop, monkey, told, done):
            say(line)
        counts = f"kills={monkey.kills.total()} attempts={told.attempts} effects={done.total()}"
        self.last = f"seed={self.seed} {counts}"
        return lines

    def _server(self, name: str) -> Callable[[], Address]:
        return lambda: ("127.0.0.1", self.data.read(PORTS_FILE)[name])


@contextlib.asynccontextmanager
async def looked_after(shop: ChaosShop) -> AsyncIterator[None]:
    """Let somebody watch the cases, and an operator mend those that need it.

    If one of them fails, the run does: nobody would see any more what becomes of the orders.
    """
    try:
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(shop.watch()), group.create_task(shop.mend())]
            try:
                yield
            finally:
                for helper in helpers:
                    helper.cancel()
    except ExceptionGroup as errors:  # the first says enough
        raise errors.exceptions[0] from errors


def progress(shop: ChaosShop) -> str:
    """Say how far the orders are."""
    done = sum(order.done for order in shop.orders)
    others = Counter(order.status for order in shop.orders if not order.done)
    return f"{done} of {len(shop.orders)} have ended; " + ", ".join(
        f"{count} {status}" for status, count in sorted(others.items())
    )


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201 - it is a program


async def main(seed: int, minutes: float) -> int:
    """Run, report, and return the exit code."""
    directory = Path(tempfile.mkdtemp(prefix="zahltag-chaos-"))
    run = Run(seed, minutes, directory / "data")
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel if task else sys.exit)
    try:
        broken = await run.go()
    except asyncio.CancelledError:
        run.failed = False  # it may have come before there was a stack
        say("interrupted: everything is stopped and removed")
        return 130
    finally:
        if not run.failed:
            shutil.rmtree(directory, ignore_errors=True)
    for line in broken:
        say(f"BROKEN: {line}")
    if broken:
        say(f"The data is kept in {run.data.path}; what was done to it stands in {run.log}.")
        say(f"Repeat it with `make chaos SEED={seed}`.")
    else:
        say("All invariants held.")
    say(run.last)
    return 1 if broken else 0


def arguments() -> tuple[int, float]:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--minutes", type=float, default=3.0)
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    say(f"seed={seed}")
    return seed, given.minutes


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*arguments())))
