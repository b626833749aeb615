"""What comes of a task that is marked as done: the one place where its kind decides."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import RefusedError
from models.store import tasks
from models.store.dunning import calls, questions
from models.store.dunning.calls import Call, Noted
from models.tables import Task


async def finish(
    session: AsyncSession, task_id: int, said: Call, given: Collection[str], who: Noted
) -> Task:
    """Mark a task as done; ``given`` are the fields of ``said`` that the person named.

    A call brings about what was said in it, the answer to a question is told to its case. The same
    outcome again is known; RefusedError or ConflictError where the task does not take it.
    """
    kind = (await tasks.get(session, task_id)).kind
    if kind == calls.TASK:
        await calls.finish_task(session, task_id, said, who)
    elif set(given) - {"outcome"}:
        raise RefusedError(f"Task {task_id} is no call: it takes an outcome and nothing else.")
    elif kind in questions.OUTCOMES:
        await questions.answer(session, task_id, said.outcome, by=who.by, at=who.at)
    else:
        await tasks.finish(session, task_id, outcome=said.outcome, by=who.by, at=who.at)
    return await tasks.get(session, task_id)
