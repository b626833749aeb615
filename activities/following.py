"""What plainly follows from a step, brought about with it: in its transaction, by its own key.

A due date, a task to follow up and the closing of a case touch nothing but our database and cost
more on their way through Temporal than what they do. So the transaction that ends a step goes on
with them as long as the facts ask for one, and the step answers with the plan that stands then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.case import close
from activities.due_date import record_due_date
from activities.metrics import brought_along
from activities.tasks import create_planned
from domain.order_case import Plan, Step, TaskKind
from models.messages import Progress, StepRequest
from models.store import cases

Refresh = Callable[[AsyncSession, StepRequest], Awaitable[Progress]]
Effect = Callable[[AsyncSession, StepRequest], Awaitable[None]]
_FOLLOWING: Mapping[tuple[Step, TaskKind | None], Effect] = {
    (Step.SET_DUE_DATE, None): record_due_date,
    (Step.CREATE_TASK, TaskKind.FOLLOW_UP_PAYMENT): create_planned,
    (Step.CLOSE_CASE, None): close,
}


class NotAlongError(Exception):
    """What follows could not be brought about; what it follows from has to be without it."""


async def refresh(session: AsyncSession, request: StepRequest) -> Progress:
    """Bring about what follows, one after the other; then do what ``cases.refresh`` does.

    The customer and the case are locked first, so that what is planned here holds. NotAlongError:
    roll back and end the step by itself. The workflow then executes what follows as a step of its
    own, which operators see, and which a person is asked to mend if need be.
    """
    case_id, at = request.case_id, request.at
    await cases.lock(session, case_id)
    progress, done = await cases.look(session, case_id, at), dict[str, Step]()
    while effect := _following(progress.plan):
        follows = StepRequest.of(case_id, progress.plan, at)
        if follows.key in done:  # the case stands still: the workflow asks a person
            break
        done[follows.key] = progress.plan.step
        try:
            await effect(session, follows)
            progress = await cases.look(session, case_id, at)
        except Exception as error:
            raise NotAlongError(follows.key) from error
    await cases.project(session, case_id, progress, at)
    for step in done.values():
        brought_along(step, "done")
    return progress


async def refresh_alone(session: AsyncSession, request: StepRequest) -> Progress:
    """Do what ``cases.refresh`` does, and nothing else."""
    return await cases.refresh(session, request.case_id, request.at)


def _following(plan: Plan) -> Effect | None:
    return _FOLLOWING.get((plan.step, plan.task))
