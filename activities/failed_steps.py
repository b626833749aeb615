"""A step that repeating does not mend becomes an exception with a task: one for each failure."""

from __future__ import annotations

from datetime import date, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from domain.errors import Problem
from models.codec import Json
from models.messages import StepRequest
from models.store import tasks
from models.store.effects import once


async def report(
    session: AsyncSession, request: StepRequest, *, owner: str, assignee: str, today: date
) -> None:
    """Report the step ``request.cause`` as failed, with ``request.failure`` as the reason.

    A step may fail again after a person's retry, under the same key. But the report of one failure
    may itself be repeated after that retry, where its worker died: the place in the workflow's run
    tells them apart. An exception that is still open is not raised a second time either.
    """
    info = activity.info()
    failure = request.model_copy(
        update={"key": f"{request.key}:{info.workflow_run_id}:{info.activity_id}"}
    )

    async def tell() -> Json:
        await _tell(session, request, owner=owner, assignee=assignee, today=today)
        return {}

    await once(session, failure, tell)


async def _tell(
    session: AsyncSession, request: StepRequest, *, owner: str, assignee: str, today: date
) -> None:
    step, reason = request.cause, request.failure
    problem = Problem(
        field=step,
        expected="the step to succeed; mend the cause, then `zahltag case retry`",
        found=reason,
        kind=tasks.STEP_FAILED,
        owner=owner,
    )
    exception_id = await tasks.raise_exception(session, request.case_id, problem, request.at)
    if exception_id is None:
        return
    await tasks.create(
        session,
        key=f"{request.case_id}:step_failed:{exception_id}",
        kind=tasks.STEP_FAILED,
        title=f"The step {step} failed",
        description=f"{reason} Mend the cause, then repeat the step with"
        f" `zahltag case retry {request.case_id}`.",
        assignee=assignee,
        due=today + timedelta(days=1),
        case_id=request.case_id,
        at=request.at,
        context={"step": step},
    )
