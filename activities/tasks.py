"""Create the tasks of a case."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities import failed_steps
from activities.services import Services
from domain.errors import RefusedError
from domain.order_case import Standing, TaskKind
from models.codec import Json
from models.messages import Progress, StepRequest
from models.store import cases, deals, tasks
from models.store.effects import once

_ACCOUNTING = "accounting"
_CUSTOMER_CARE = "customer care"


@dataclass(frozen=True, slots=True)
class TaskActivities:
    """The activity ``create_task``."""

    services: Services

    @activity.defn(name="create_task")
    async def create_task(self, request: StepRequest) -> Progress:
        """Create the task that the plan asks for, assigned to whoever looks after such work."""
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)
            if request.task is TaskKind.STEP_FAILED:
                await _step_failed(session, request)
            else:
                await create_planned(session, request)
            return await cases.refresh(session, request.case_id, request.at)


async def create_planned(session: AsyncSession, request: StepRequest) -> None:
    """Have the effect of ``create_task``, once."""

    async def create() -> Json:
        return await _create(session, request)

    await once(session, request, create)


async def _create(session: AsyncSession, request: StepRequest) -> Json:
    case, today = await cases.standing_on(session, request.case_id, request.at)
    team, title, description, due = _words(request, case, today)
    await tasks.create(
        session,
        key=request.key,
        kind=str(request.task),
        title=title,
        description=description,
        assignee=await deals.who_looks_after(session, request.case_id, team),
        due=due,
        case_id=request.case_id,
        at=request.at,
        context=_context(request, case),
    )
    return {}


def _words(request: StepRequest, case: Standing, today: date) -> tuple[str, str, str, date]:
    """Return team, title, description and due date of a task."""
    owed = f"{case.amount_due:.2f} {case.currency}"
    if request.task is TaskKind.FOLLOW_UP_PAYMENT:
        due = case.due_date or today
        return (
            _ACCOUNTING,
            f"Follow up the payment of {case.invoice_no}",
            f"{owed} are due on {due}. The task closes by itself when they arrive.",
            due,
        )
    if request.task is TaskKind.PAYMENT_FAILED:
        return (
            _CUSTOMER_CARE,
            f"Payment of order case {request.case_id} failed",
            f"The customer was offered another way to pay {case.total:.2f} {case.currency}."
            " Ask whether help is needed. The task closes by itself when the money arrives.",
            today + timedelta(days=3),
        )
    if request.task is TaskKind.PAYMENT_ON_ACCOUNT:
        return (
            _ACCOUNTING,
            f"Money left over in case {request.case_id}",
            "More was received than is owed, or in another currency. Refund it, or keep it for"
            " the customer's next invoice.",
            today + timedelta(days=3),
        )
    if request.task is TaskKind.REFUND:
        return (
            _ACCOUNTING,
            f"Refund the money of case {request.case_id}",
            "The order was cancelled and money was received for it. Refund it by the way it came"
            " (par. 357 (3) BGB for consumers: within 14 days), then mark this task as done.",
            today + timedelta(days=3),
        )
    raise RefusedError(f"There is no task of the kind {request.task}.")


def _context(request: StepRequest, case: Standing) -> Json:
    context: Json = {"invoice_no": case.invoice_no, "customer_no": case.customer_no}
    if request.task in {TaskKind.PAYMENT_ON_ACCOUNT, TaskKind.REFUND}:
        context["payment_id"] = int(request.cause.removeprefix("payment-"))
    return context


async def _step_failed(session: AsyncSession, request: StepRequest) -> None:
    await failed_steps.report(
        session,
        request,
        owner=_ACCOUNTING,
        assignee=await deals.who_looks_after(session, request.case_id, _ACCOUNTING),
        today=await cases.today(session, request.case_id, request.at),
    )
