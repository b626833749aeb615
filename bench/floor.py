"""The floor: the least that does the same for an order, written by hand (``docs/performance.md``).

Two regular and two local activities and one signal. The same rows, the same PDF and the same mails
as the chain; one SQL statement where one will do; no plan, no facts read back, no search attribute,
no outbox delivery, no correction, no approval, no exception, nothing an operator could look at.
``python -m bench.floor`` is its worker, on the libraries' defaults; with ``FLOOR=product`` in the
environment it runs as the product's worker does, on uvloop and without the workflow sandbox.
"""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

with workflow.unsafe.imports_passed_through():
    from bench.floor_effects import Effects
    from bench.pool import open_pool
    from connectors.mail import SmtpMailer
    from models.settings import Settings
    from starter.loop import run

QUEUE = "floor"
AGAIN = RetryPolicy(initial_interval=timedelta(milliseconds=100))
ONE_TRY = timedelta(seconds=10)
AS_THE_PRODUCT = os.environ.get("FLOOR") == "product"


@workflow.defn(name="Floor")
class Floor:
    """An order from its start to its end."""

    def __init__(self) -> None:
        self._payment = 0

    @workflow.run
    async def run(self, case_id: str) -> None:
        """Check, invoice and mail, wait for the money, match it, confirm it and close."""
        await workflow.execute_local_activity(
            "check", case_id, start_to_close_timeout=ONE_TRY, retry_policy=AGAIN
        )
        await workflow.execute_activity(
            "invoice", case_id, start_to_close_timeout=ONE_TRY, retry_policy=AGAIN
        )
        await workflow.wait_condition(lambda: bool(self._payment))
        await workflow.execute_local_activity(
            "reconcile",
            args=[case_id, self._payment],
            start_to_close_timeout=ONE_TRY,
            retry_policy=AGAIN,
        )
        await workflow.execute_activity(
            "confirm", case_id, start_to_close_timeout=ONE_TRY, retry_policy=AGAIN
        )

    @workflow.signal
    def paid(self, payment_id: int) -> None:
        """Take the payment."""
        self._payment = payment_id


async def main() -> None:
    """Work until SIGTERM."""
    settings, stop = Settings(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    url = settings.database_url.get_secret_value()
    client = await Client.connect(settings.temporal_address)
    mailer = SmtpMailer(settings)
    async with open_pool(url, settings.database_pool) as pool:
        effects = await Effects.load(pool, mailer, settings.mail_domain)
        async with Worker(
            client,
            task_queue=QUEUE,
            workflow_runner=UnsandboxedWorkflowRunner()
            if AS_THE_PRODUCT
            else SandboxedWorkflowRunner(),
            workflows=[Floor],
            activities=[effects.check, effects.invoice, effects.reconcile, effects.confirm],
            max_concurrent_activities=settings.database_pool,
            max_concurrent_local_activities=settings.database_pool,
        ):
            print("ready", flush=True)
            await stop.wait()
    await mailer.aclose()


if __name__ == "__main__":
    (run if AS_THE_PRODUCT else asyncio.run)(main())
