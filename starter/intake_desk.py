"""Where webhooks hand their orders in: those that arrive together are stored together.

While one batch commits the next one gathers, so a lone order waits for nobody and a wave shares
its commits. One half of a wave is read while the other half commits
(docs/decisions/0011-group-commit.md).
"""

from __future__ import annotations

import asyncio

import structlog

from domain.company import Company
from domain.order import Order
from models.store import intake, new_orders
from models.store.database import Database
from models.store.intake import Arrival, Outcome
from models.store.new_orders import NewOrder
from starter.intake import Taken, take_order

log = structlog.get_logger("intake")

MOST = 64
Waiting = tuple[NewOrder, asyncio.Future[bool]]


class Desk:
    """Takes in the orders of one process. An answer is given only after its commit.

    Only what is plainly new is stored in a batch. Everything else, and everything of a batch that
    failed, is taken in by itself, so that no order can hurt its neighbours.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[Waiting] = []
        self._storing: asyncio.Task[None] | None = None

    async def take(self, order: Order, arrival: Arrival, firm: Company) -> Taken:
        """Take an order in; what is refused raises RefusedError and leaves no trace."""
        new = intake.new_order(order, arrival, firm)
        if await self._stored_with_others(new):
            return Taken(new.case_id, Outcome.NEW.value)
        return await take_order(self._database, order, arrival, strict=False)

    async def _stored_with_others(self, new: NewOrder) -> bool:
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((new, stored))
        if self._storing is None or self._storing.done():
            self._storing = asyncio.create_task(self._store_waiting())
        return bool(await stored)

    async def _store_waiting(self) -> None:
        stored_last = 0
        while self._waiting:
            # Were all who wait taken at once, nobody would be left to read while they commit: those
            # who were just answered are about to come again.
            half = min((stored_last + len(self._waiting) + 1) // 2, MOST)
            batch, self._waiting = self._waiting[:half], self._waiting[half:]
            stored_last = len(batch)
            new = await self._store([order for order, _ in batch])
            for place, (_, stored) in enumerate(batch):
                if not stored.done():  # its sender may have hung up
                    stored.set_result(place in new)
            await asyncio.sleep(0)  # they get their answers first, and write their next meanwhile

    async def _store(self, batch: list[NewOrder]) -> set[int]:
        try:
            return await new_orders.commit(self._database, batch)
        except Exception as error:  # noqa: BLE001 - each order meets it again, and answers for itself
            log.warning("a batch is taken in one by one", error=type(error).__name__)
            return set()
