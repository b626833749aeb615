"""Tasks and exceptions: what a person has to do before or beside a case."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import ConflictError, NotFoundError, Problem
from models.store import history
from models.store.sql import Statement
from models.tables import CaseException, Task

STEP_FAILED = "step_failed"

_CREATE = Statement("""
insert into task (key, kind, title, description, assignee, due, status, case_id, context,
    created_at, done_by, outcome)
  values (:key, :kind, :title, :description, :assignee, :due, 'open', :case_id, :context, :at, '',
    '') on conflict do nothing returning id
""")
_CLOSE_OF_CASE = Statement("""
update task set status = 'done', outcome = :outcome, done_by = :by, done_at = :at
where case_id = :case_id and status = 'open' and kind in ('follow_up_payment', 'payment_failed')
""")


def assignee(company: Company, team: str) -> str:
    """Return the user who looks after a team's work; ``admin`` where nobody is named."""
    return company.owners.get(team, "admin")


async def create(
    session: AsyncSession,
    *,
    key: str,
    kind: str,
    title: str,
    description: str,
    assignee: str,
    due: date,
    case_id: str | None,
    at: datetime,
    context: dict[str, Any],
) -> int | None:
    """Create a task once per key; return its id, or None if it exists."""
    created: int | None = await _CREATE.value(
        session,
        key=key,
        kind=kind,
        title=title,
        description=description,
        assignee=assignee,
        due=due,
        case_id=case_id,
        context=context,
        at=at,
    )
    if created is not None and case_id is not None:
        history.note(session, case_id, at, "task_created", f"Task {created}: {title}", task=created)
    return created


async def finish(
    session: AsyncSession, task_id: int, *, outcome: str, by: str, at: datetime
) -> Task:
    """Mark a task as done. The same outcome again changes nothing; another is refused."""
    query = select(Task).where(Task.id == task_id).with_for_update(key_share=True)
    task = (await session.exec(query)).one_or_none()
    if task is None:
        raise NotFoundError(f"There is no task {task_id}.")
    if task.status == "done":
        if task.outcome != outcome:
            raise ConflictError(
                f"Task {task_id} was done before with the outcome {task.outcome!r}."
            )
        return task
    task.status, task.outcome, task.done_by, task.done_at = "done", outcome, by, at
    if task.case_id:
        history.note(session, task.case_id, at, "task_done", f"Task {task_id} done: {outcome}", by)
    return task


async def close_of_case(session: AsyncSession, case_id: str, at: datetime, outcome: str) -> None:
    """Close the follow-up tasks of a case that is over; tasks about money left over stay."""
    await _CLOSE_OF_CASE.run(session, case_id=case_id, outcome=outcome, by=history.SYSTEM, at=at)


async def close_all(session: AsyncSession, case_id: str, at: datetime, outcome: str) -> None:
    """Close every open task of a case that is undone, but for the refunds it asks for."""
    await session.exec(
        update(Task)
        .where(col(Task.case_id) == case_id, col(Task.status) == "open", col(Task.kind) != "refund")
        .values(status="done", outcome=outcome, done_by=history.SYSTEM, done_at=at)
    )


async def list_tasks(session: AsyncSession) -> list[Task]:
    """Return all tasks, open ones first, then by due date."""
    query = select(Task).order_by(col(Task.status).desc(), col(Task.due), col(Task.id))
    return list(await session.exec(query))


async def get(session: AsyncSession, task_id: int) -> Task:
    """Return a task; NotFoundError if there is none."""
    task = await session.get(Task, task_id)
    if task is None:
        raise NotFoundError(f"There is no task {task_id}.")
    return task


async def raise_problems(
    session: AsyncSession, case_id: str, problems: tuple[Problem, ...], at: datetime
) -> None:
    """Make the open exceptions of a case's data exactly these; what is mended is resolved."""
    found = {(p.kind, p.field) for p in problems}
    open_ones = await session.exec(
        select(CaseException).where(
            CaseException.case_id == case_id,
            col(CaseException.resolved_at).is_(None),
            CaseException.kind != STEP_FAILED,
        )
    )
    for row in open_ones:
        if (row.kind, row.field) not in found:
            row.resolved_at, row.resolved_by = at, "correction"
    for problem in problems:
        await raise_exception(session, case_id, problem, at)


async def raise_exception(
    session: AsyncSession, case_id: str, problem: Problem, at: datetime
) -> int | None:
    """Open an exception, once per case, kind and field while it is open; return a new one's id."""
    values = {
        "case_id": case_id,
        "kind": problem.kind,
        "field": problem.field,
        "expected": problem.expected,
        "found": problem.found,
        "owner": problem.owner,
        "raised_at": at,
        "resolved_by": "",
    }
    raised = await session.exec(
        insert(CaseException)
        .values(**values)
        .on_conflict_do_nothing()
        .returning(col(CaseException.id))
    )
    exception_id: int | None = raised.scalar_one_or_none()
    if exception_id is not None:
        text = f"Exception {problem.kind} at {problem.field}: expected {problem.expected}"
        history.note(session, case_id, at, "exception_raised", text)
    return exception_id


async def resolve_step_failure(
    session: AsyncSession, case_id: str, *, by: str, at: datetime
) -> str | None:
    """Resolve the failed step of a case so that it is tried again; return the step, or None."""
    statement = (
        update(CaseException)
        .where(
            col(CaseException.case_id) == case_id,
            col(CaseException.kind) == STEP_FAILED,
            col(CaseException.resolved_at).is_(None),
        )
        .values(resolved_at=at, resolved_by=by)
        .returning(col(CaseException.field))
    )
    step: str | None = (await session.exec(statement)).scalars().first()
    if step is not None:
        await session.exec(
            update(Task)
            .where(
                col(Task.case_id) == case_id,
                col(Task.kind) == STEP_FAILED,
                col(Task.status) == "open",
            )
            .values(status="done", outcome="the step is repeated", done_by=by, done_at=at)
        )
        history.note(session, case_id, at, "retry", f"The step {step} is repeated", by)
    return step


async def resolve_all(session: AsyncSession, case_id: str, *, by: str, at: datetime) -> None:
    """Resolve every open exception of a case that will be undone."""
    await session.exec(
        update(CaseException)
        .where(col(CaseException.case_id) == case_id, col(CaseException.resolved_at).is_(None))
        .values(resolved_at=at, resolved_by=by)
    )


async def list_exceptions(session: AsyncSession, *, every: bool = False) -> list[CaseException]:
    """Return the exceptions that are open (``every``: the resolved ones too), oldest first."""
    query = select(CaseException).order_by(col(CaseException.id))
    if not every:
        query = query.where(col(CaseException.resolved_at).is_(None))
    return list(await session.exec(query))


async def exceptions_of(session: AsyncSession, case_id: str) -> list[CaseException]:
    """Return the open exceptions of one case."""
    query = (
        select(CaseException)
        .where(CaseException.case_id == case_id, col(CaseException.resolved_at).is_(None))
        .order_by(col(CaseException.id))
    )
    return list(await session.exec(query))


def within(day: date, days: int) -> date:
    """Return the day by which a task should be done."""
    return day + timedelta(days=days)
