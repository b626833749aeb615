"""The worker process: wires workflows and activities to their services and polls the task queue."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from activities.case import CaseActivities
from activities.customer import CustomerActivities
from activities.deals import DealActivities
from activities.email import EmailActivities
from activities.fetch import FetchActivities
from activities.invoice import InvoiceActivities
from activities.payments import PaymentActivities
from activities.pulse import EVERY, Pulse
from activities.services import PlainErrors, Services
from activities.tasks import TaskActivities
from connectors.mail import SmtpMailer
from models.messages import Progress
from models.settings import Settings
from models.store.database import Database
from starter.logs import configure_logs
from starter.stack.heartbeat import beat
from starter.temporal import connect
from workflows.fetch_order import FetchOrder
from workflows.order_to_cash import OrderToCash

SHUTDOWN = timedelta(seconds=25)


def activities_of(services: Services) -> list[Callable[..., Awaitable[Progress]]]:
    """Return every activity of a case; each method bears the name of its step."""
    customer, invoice = CustomerActivities(services), InvoiceActivities(services)
    email, payments = EmailActivities(services), PaymentActivities(services)
    tasks, case = TaskActivities(services), CaseActivities(services)
    return [
        customer.validate_customer,
        invoice.create_invoice,
        invoice.set_due_date,
        invoice.cancel_invoice,
        invoice.write_off,
        email.send_email,
        tasks.create_task,
        payments.reconcile_payment,
        case.request_approval,
        case.take_decision,
        case.note_overdue,
        case.close_tasks,
        case.close_case,
        DealActivities(services).update_deal,
    ]


def make_worker(client: Client, services: Services, *, cached_workflows: int = 1000) -> Worker:
    """Return a worker with every workflow and activity of the product.

    ``cached_workflows=0`` replays every case at each of its steps: how tests prove that it can.
    """
    return Worker(
        client,
        task_queue=services.settings.task_queue,
        max_cached_workflows=cached_workflows,
        workflows=[OrderToCash, FetchOrder],
        activities=[*activities_of(services), FetchActivities(services).fetch_order],
        interceptors=[PlainErrors(), Pulse()],
        max_heartbeat_throttle_interval=EVERY,
        # An activity holds up to two database connections, a local one holds one: together they
        # never wait for each other.
        max_concurrent_activities=max(services.settings.database_pool // 3, 1),
        max_concurrent_local_activities=max(services.settings.database_pool // 3, 1),
        graceful_shutdown_timeout=SHUTDOWN,
    )


async def main() -> None:
    """Work until SIGTERM, then finish what is under way."""
    settings = Settings()
    configure_logs(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    database, mailer = Database.connect(settings), SmtpMailer(settings)
    client = await connect(settings)
    async with make_worker(client, Services(database, mailer, settings)):
        alive = (
            asyncio.create_task(beat(settings.heartbeat_file)) if settings.heartbeat_file else None
        )
        await stop.wait()
        if alive:
            alive.cancel()
    await mailer.aclose()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main())
