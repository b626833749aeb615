"""The worker process: wires workflows and activities to their services and polls the task queue."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.common import MetricMeter
from temporalio.worker import Interceptor, UnsandboxedWorkflowRunner, Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.case import CaseActivities
from activities.customer import CustomerActivities
from activities.deals import DealActivities
from activities.dunning_case import DunningCaseActivities
from activities.dunning_notice import NoticeActivities
from activities.email import EmailActivities
from activities.failpoints import Points, armed, reach
from activities.fetch import FetchActivities
from activities.invoice import InvoiceActivities
from activities.manager_mails import ManagerMailActivities
from activities.metrics import CountEffects, CountingMailer
from activities.payments import PaymentActivities
from activities.pulse import EVERY, Pulse
from activities.rule_runs import RuleRunActivities
from activities.run_endings import RunEndingActivities
from activities.services import PlainErrors, Services
from activities.tasks import TaskActivities
from connectors.letter_spool import LetterSpool
from connectors.mail import SmtpMailer
from domain.errors import RefusedError
from models.messages import DunningProgress, Progress
from models.settings import Settings
from models.store.database import Database
from starter.logs import configure_logs
from starter.loop import run, settle
from starter.metrics import meter_of, runtime_of
from starter.stack.heartbeat import beat
from starter.temporal import connect
from workflows.dunning_case import DunningCase
from workflows.dunning_cycle import DunningCycle
from workflows.dunning_slot import DunningSlot
from workflows.dunning_tick import DunningTick
from workflows.fetch_order import FetchOrder
from workflows.order_to_cash import OrderToCash

SHUTDOWN = timedelta(seconds=25)
WORKFLOWS = [OrderToCash, DunningCase, FetchOrder, DunningTick, DunningSlot, DunningCycle]


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


def dunning_activities_of(
    services: Services,
) -> list[Callable[..., Awaitable[DunningProgress]]]:
    """Return every activity of a dunning case."""
    case = DunningCaseActivities(services)
    return [
        case.look_at_dunning,
        case.answer_claim,
        case.answer_bounce,
        case.renew_notice,
        case.drop_notice,
        case.escalate_approval,
        case.ask_about_money,
        case.end_dunning,
        case.report_dunning_failure,
        case.take_dunning_decision,
        NoticeActivities(services).send_notice,
    ]


def run_activities_of(services: Services) -> list[Callable[..., Awaitable[Any]]]:
    """Return every activity of the runs of dunning rules."""
    runs, endings = RuleRunActivities(services), RunEndingActivities(services)
    mails = ManagerMailActivities(services)
    return [
        runs.call_rule,
        runs.due_rules,
        runs.select_customers,
        runs.hand_over,
        endings.mark_customers,
        mails.group_managers,
        mails.tell_manager,
        endings.finish_run,
        endings.report_run_failure,
    ]


def every_activity_of(services: Services) -> list[Callable[..., Awaitable[Any]]]:
    """Return every activity that a failpoint can be armed for."""
    return [
        *activities_of(services),
        *dunning_activities_of(services),
        *run_activities_of(services),
    ]


def interceptors_of(services: Services, points: Points | None = None) -> list[Interceptor]:
    """Return what surrounds every activity, outermost first; ``points`` listens to failpoints."""
    around: list[Interceptor] = [PlainErrors(), Pulse()]
    if points is None:
        return around
    services.database.watcher = reach
    return [*around, points]


def make_worker(
    client: Client,
    services: Services,
    *,
    cached_workflows: int = 1000,
    sandbox: bool = True,
    meter: MetricMeter = MetricMeter.noop,
    points: Points | None = None,
) -> Worker:
    """Return a worker with every workflow and activity of the product.

    ``cached_workflows=0`` replays every case at each of its steps: how tests prove that it can.
    The sandbox refuses what would not replay; what tests have proved runs without it in production
    (docs/decisions/0010). ``points`` is where something goes wrong on purpose.
    """
    pool = services.settings.database_pool
    runner: WorkflowRunner = SandboxedWorkflowRunner() if sandbox else UnsandboxedWorkflowRunner()
    return Worker(
        client,
        task_queue=services.settings.task_queue,
        max_cached_workflows=cached_workflows,
        workflow_runner=runner,
        workflows=WORKFLOWS,
        activities=[*every_activity_of(services), FetchActivities(services).fetch_order],
        interceptors=[CountEffects(meter), *interceptors_of(services, points)],
        max_heartbeat_throttle_interval=EVERY,
        # An activity holds one database connection at a time: together they never wait for one.
        # More places for those that go through the server: where one is free, an activity comes
        # back with the answer to the task that planned it, without being polled for.
        max_concurrent_activities=pool // 2 + 1,
        max_concurrent_local_activities=pool // 3,
        graceful_shutdown_timeout=SHUTDOWN,
    )


async def main() -> None:
    """Work until SIGTERM, then finish what is under way."""
    settings = Settings()
    configure_logs(settings)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runtime = runtime_of(settings, "worker")
    meter = meter_of(runtime)
    database, mailer = Database.connect(settings), SmtpMailer(settings)
    client = await connect(settings, runtime)
    letters = LetterSpool(settings.letter_spool_dir)
    services = Services(database, CountingMailer(mailer, meter), settings, letters)
    settle()
    points = armed(os.environ, settings, [a.__name__ for a in every_activity_of(services)])
    async with make_worker(client, services, sandbox=False, meter=meter, points=points):
        alive = (
            asyncio.create_task(beat(settings.heartbeat_file)) if settings.heartbeat_file else None
        )
        await stop.wait()
        if alive:
            alive.cancel()
    await mailer.aclose()
    await database.close()


if __name__ == "__main__":
    try:
        run(main())
    except RefusedError as error:
        sys.exit(error.message)
