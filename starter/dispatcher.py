"""The dispatcher: tells workflows what the database knows, and repairs what they were not told.

Delivery is at least once: a row is leased, delivered as signal-with-start, and marked. Workflows
take every fact as often as it is told. The sweeper finds open cases whose workflow is gone (deleted
Temporal database, terminated by hand) and starts them again from the facts.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import asyncpg
import structlog
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from models.dunning_start import start_dunning_case
from models.messages import (
    CaseStart,
    Command,
    LookAgain,
    Message,
    OrderChanged,
    PaymentReceived,
)
from models.settings import Settings
from models.store import deals, fetches, orders, outbox
from models.store.database import Database
from models.store.dunning.telling import PREFIX, customer_no_of
from models.store.outbox import Leased
from starter.fetches import restart_lost, start_fetch
from starter.logs import configure_logs
from starter.loop import run
from starter.metrics import DatabaseGauges, meter_of, runtime_of
from starter.rule_runs import resume_runs
from starter.schedules import keep_schedules
from starter.stack.heartbeat import beat
from starter.temporal import connect, start_case

BATCH = 50
LEASE = timedelta(seconds=30)
POLL_SECONDS = 1.0
SWEEP_SECONDS = 60.0
LONGEST_PAUSE = timedelta(minutes=5)
_CASES = "'OrderToCash', 'DunningCase'"

MESSAGES: dict[str, type[Message]] = {
    "payment_received": PaymentReceived,
    "order_changed": OrderChanged,
    "look_again": LookAgain,
    "correct_order": Command,
    "approval": Command,
    "rejection": Command,
    "retry_step": Command,
    "cancel_order": Command,
    "extend_due_date": Command,
    "write_off_proposed": Command,
}

log = structlog.get_logger("dispatcher")


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class Dispatcher:
    """Delivers the outbox and sweeps; any number of them may run at the same time."""

    def __init__(
        self,
        database: Database,
        client: Client,
        task_queue: str,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.database = database
        self.client = client
        self.task_queue = task_queue
        self.clock = clock

    async def deliver_due(self) -> int:
        """Deliver what is due, once; return how many rows were taken."""
        async with self.database.transaction() as session:
            rows = await outbox.lease(session, self.clock(), BATCH, LEASE)
        told = await asyncio.gather(*(self._deliver(row) for row in rows), return_exceptions=True)
        if delivered := [row.id for row, known in zip(rows, told, strict=True) if known is True]:
            async with self.database.transaction() as session:
                await outbox.mark_delivered(session, delivered, self.clock())
        for outcome in told:  # a defect of one row keeps no other from being marked
            if isinstance(outcome, BaseException):
                raise outcome
        return len(rows)

    async def _deliver(self, row: Leased) -> bool:
        """Tell the workflow; False if it has to be tried again later."""
        if row.too_late:
            return True
        try:
            await self._tell(row)
        except (RPCError, OSError, TimeoutError) as error:
            pause = min(timedelta(seconds=2**row.attempts), LONGEST_PAUSE)
            log.warning("not delivered", case=row.case_id, signal=row.signal, error=str(error))
            async with self.database.transaction() as session:
                await outbox.postpone(session, row.id, self.clock() + pause, str(error))
            return False
        return True

    async def _tell(self, row: Leased) -> None:
        if row.signal == fetches.FETCH:  # no case yet: an order that has to be fetched first
            await start_fetch(self.client, row.case_id, row.payload, self.task_queue)
            return
        if row.case_id.startswith(PREFIX):
            message = MESSAGES[row.signal].model_validate(row.payload)
            await self._start_dunning(row.case_id, signal=(row.signal, message))
            return
        if row.start is None:
            log.error("there is no such case", case=row.case_id, signal=row.signal)
            return
        if row.signal == outbox.START:
            with contextlib.suppress(WorkflowAlreadyStartedError):
                await self._start(row.start, again=False)
            return
        message = MESSAGES[row.signal].model_validate(row.payload)
        await self._start(row.start, again=True, signal=(row.signal, message))

    async def _start(
        self, start: CaseStart, *, again: bool, signal: tuple[str, Message] | None = None
    ) -> None:
        await start_case(self.client, start, task_queue=self.task_queue, again=again, signal=signal)

    async def _start_dunning(
        self, case_id: str, *, signal: tuple[str, Message] | None = None
    ) -> None:
        number = customer_no_of(case_id)
        await start_dunning_case(self.client, number, task_queue=self.task_queue, signal=signal)

    async def sweep(self) -> int:
        """Start open cases that have no workflow, tell payments again; return how many repairs."""
        async with self.database.transaction() as session:
            repairs = await outbox.tell_forgotten_payments(session, self.clock())
            repairs += await deals.wake_forgotten(session, self.clock())
            waiting = await fetches.unfinished(session, self.clock() - LEASE)
            opened = await outbox.open_cases(session, self.clock() - LEASE)
        repairs += await restart_lost(self.client, waiting, self.task_queue)
        if not opened:
            return repairs
        running = f"WorkflowType IN ({_CASES}) AND ExecutionStatus = 'Running'"
        alive = {w.id async for w in self.client.list_workflows(running, page_size=1000)}
        lost = [case_id for case_id in opened if case_id not in alive]
        for first in range(0, len(lost), BATCH):
            part = lost[first : first + BATCH]
            async with self.database.transaction() as session:
                starts = await orders.case_starts(session, set(part))
            await asyncio.gather(*(self._start_again(case_id, starts) for case_id in part))
        if lost:
            log.warning("started cases that had no workflow", count=len(lost))
        return repairs + len(lost)

    async def _start_again(self, case_id: str, orders: Mapping[str, CaseStart]) -> None:
        if case_id.startswith(PREFIX):
            await self._start_dunning(case_id)
        else:
            await self._start(orders[case_id], again=True)

    async def run(self, wake: asyncio.Event, stop: asyncio.Event) -> None:
        """Deliver whenever something is written or due, until stopped.

        Every minute it sweeps, keeps the Schedules of the rules as they should be, and goes on with
        runs of rules that have no workflow any more.
        """
        swept = float("-inf")
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            wake.clear()
            try:
                if await self.deliver_due() == BATCH:
                    continue
                if loop.time() - swept >= SWEEP_SECONDS:
                    await keep_schedules(self.client, self.database, self.task_queue, self.clock())
                    await resume_runs(self.client, self.database, self.clock(), self.task_queue)
                    await self.sweep()
                    swept = loop.time()
            except Exception as error:  # noqa: BLE001 - it must outlive every outage
                log.warning("a dependency is away; trying again", error=repr(error))
                await asyncio.sleep(POLL_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), POLL_SECONDS)


async def listen(dsn: str, wake: asyncio.Event) -> None:
    """Wake the dispatcher when the outbox is written to; polling covers any time without it."""
    while True:
        try:
            connection, lost = await asyncpg.connect(dsn), asyncio.Event()
            connection.add_termination_listener(lambda _, lost=lost: lost.set())
            await connection.add_listener(outbox.CHANNEL, lambda *_: wake.set())
            await lost.wait()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("not listening", error=repr(error))
        await asyncio.sleep(POLL_SECONDS)


async def main() -> None:
    """Run until SIGTERM."""
    settings = Settings()
    configure_logs(settings)
    stop, wake = asyncio.Event(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runtime = runtime_of(settings, "dispatcher")
    database, client = Database.connect(settings), await connect(settings, runtime)
    helpers = [asyncio.create_task(listen(settings.database_url.get_secret_value(), wake))]
    if runtime:
        helpers.append(asyncio.create_task(DatabaseGauges(database, meter_of(runtime)).run()))
    if settings.heartbeat_file:
        helpers.append(asyncio.create_task(beat(settings.heartbeat_file)))
    await Dispatcher(database, client, settings.task_queue).run(wake, stop)
    for helper in helpers:
        helper.cancel()
    await database.close()


if __name__ == "__main__":
    run(main())
