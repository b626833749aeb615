"""Tasks that ask a person what a dunning case has to know: the answer is taken once, and told.

The answer, what follows from it and the word to the case commit together, the customer locked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import RefusedError
from models.store import customers, tasks
from models.store.dunning import sending
from models.store.dunning.telling import customer_no_of, tell
from models.tables import Task

WHOSE_MONEY = "whose_money"
SENT, NOT_SENT, NOT_THEIRS = "sent", "not_sent", "not_theirs"

# The outcomes that each kind of question takes. Money that is the customer's is no outcome: a
# notice that waits for it must not go out because somebody said so.
OUTCOMES: Mapping[str, tuple[str, ...]] = {
    sending.NOTICE_UNKNOWN: (SENT, NOT_SENT),
    WHOSE_MONEY: (NOT_THEIRS,),
}


async def answer(
    session: AsyncSession, task_id: int, outcome: str, *, by: str, at: datetime
) -> None:
    """Mark a question as answered, and let the case go on; the same answer again is known.

    RefusedError names the outcomes that there are; ConflictError if another one was given before.
    """
    task = await tasks.get(session, task_id)
    case_id = task.case_id or ""
    customer = await customers.locked(session, customer_no_of(case_id))
    query = select(Task).where(Task.id == task_id).with_for_update(key_share=True)
    task = (await session.exec(query.execution_options(populate_existing=True))).one()
    allowed = OUTCOMES[task.kind]
    if task.status == "open" and outcome not in allowed:
        raise RefusedError(
            f"Task {task_id} takes the outcome {' or '.join(allowed)}, not {outcome[:60]!r}."
        )
    known = task.status != "open"
    await tasks.finish(session, task_id, outcome=outcome, by=by, at=at)
    if known:
        return
    if task.kind == sending.NOTICE_UNKNOWN:
        notice_id = int(task.context["notice_id"])
        await sending.clear_up(session, case_id, notice_id, was_sent=outcome == SENT, by=by, at=at)
    await tell(session, customer.id or 0, at, f"task-{task_id}")
