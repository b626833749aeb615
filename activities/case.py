"""Effects on the case itself: approvals, decisions of people, overdue, closing."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.services import Services
from domain.order_case import Status, Step
from models.codec import Json
from models.messages import DecisionRequest, Progress, StepRequest
from models.store import approvals, cases, decisions, history, tasks
from models.store.decisions import Decision
from models.store.effects import once


@dataclass(frozen=True, slots=True)
class CaseActivities:
    """Approvals, decisions, overdue; closing the tasks and the case."""

    services: Services

    @activity.defn(name="request_approval")
    async def request_approval(self, request: StepRequest) -> Progress:
        """Ask a person whether the order is to be accepted."""
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)

            async def ask() -> Json:
                case = await cases.standing(session, request.case_id)
                await approvals.request(
                    session,
                    key=request.key,
                    case_id=request.case_id,
                    step=approvals.ACCEPT_ORDER,
                    amount=case.total,
                    currency=case.currency,
                    why=case.approval_needed,
                    at=request.at,
                )
                return {}

            await once(session, request, ask)
            return await cases.refresh(session, request.case_id, request.at)

    @activity.defn(name="take_decision")
    async def take_decision(self, request: DecisionRequest) -> Progress:
        """Store a decision that came through Temporal (the API stores its own) and look again."""
        async with self.services.database.transaction() as session:

            async def store() -> Json:
                decision = Decision.through_temporal(request)
                await decisions.store(session, request.case_id, decision, request.at)
                return {}

            if not request.command.stored:
                await once(session, request, store)
            return await cases.refresh(session, request.case_id, request.at)

    @activity.defn(name="note_overdue")
    async def note_overdue(self, request: StepRequest) -> Progress:
        """Note that the due date has passed, if it has and something is still open."""
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)
            case, day = await cases.standing_on(session, request.case_id, request.at)
            late = case.due_date is not None and day > case.due_date and case.amount_due > 0
            if late and not case.overdue_noted:
                await cases.note_overdue(session, request.case_id)
                text = f"Overdue since {case.due_date}"
                history.note(session, request.case_id, request.at, "overdue", text)
            return await cases.refresh(session, request.case_id, request.at)

    @activity.defn(name="close_tasks")
    async def close_tasks(self, request: StepRequest) -> Progress:
        """Undo ``create_task`` and ``request_approval``: nobody has to do these any more."""
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)
            reason = "the order was cancelled"
            await tasks.close_all(session, request.case_id, request.at, reason)
            await approvals.withdraw_all(session, request.case_id, request.at, reason)
            return await cases.refresh(session, request.case_id, request.at)

    @activity.defn(name="close_case")
    async def close_case(self, request: StepRequest) -> Progress:
        """Close the case and the tasks that followed it up, if it still is to be closed."""
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)
            progress = await cases.look(session, request.case_id, request.at)
            if progress.plan.step is not Step.CLOSE_CASE:
                return progress
            await close(session, StepRequest.of(request.case_id, progress.plan, request.at))
            return await cases.refresh(session, request.case_id, request.at)


async def close(session: AsyncSession, request: StepRequest) -> None:
    """Have the effect of ``close_case``. The case is locked, and was just planned to be closed."""
    ends = {
        "cancelled": Status.CANCELLED,
        "rejected": Status.REJECTED,
        "written-off": Status.WRITTEN_OFF,
    }
    status = ends.get(request.cause, Status.CLOSED)
    await tasks.close_of_case(session, request.case_id, request.at, f"case {status}")
    await cases.close(session, request.case_id, status, request.at)
    history.note(session, request.case_id, request.at, "case_closed", f"Case closed: {status}")
