"""The ladder (Mahnstufen) of a customer: begun with the first step, ended when all is settled."""

from __future__ import annotations

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from models.store import history
from models.store.dunning import opening
from models.store.sql import Statement

_CURRENT = Statement("""
select id from dunning_case where customer_id = :customer_id and ended_at is null
""")
_LEVEL = Statement("""
select level from dunning_case where customer_id = :customer_id and ended_at is null
""")
_END = Statement("""
update dunning_case set ended_at = greatest(:at, started_at)
where customer_id = :customer_id and ended_at is null
""")
_CLOSE_TASKS = Statement("""
update task set status = 'done', outcome = :outcome, done_by = :by, done_at = :at
where case_id = :case_id and status = 'open'
""")
_CLOSE_FILE = Statement("""
update case_file set closed_at = :at, closed_as = 'closed' where id = :case_id
  and closed_at is null
""")


async def current(session: AsyncSession, customer_id: int, at: datetime) -> int:
    """Return the id of the customer's current ladder; begin one where there is none."""
    found: int | None = await _CURRENT.value(session, customer_id=customer_id)
    if found is None:
        await opening.open_cases(session, [customer_id], at)
        found = await _CURRENT.value(session, customer_id=customer_id)
    return found or 0


async def level(session: AsyncSession, customer_id: int) -> int:
    """Return the level of the customer's current ladder; 0 where there is none."""
    return await _LEVEL.value(session, customer_id=customer_id) or 0


async def end(
    session: AsyncSession, customer_id: int, case_id: str, at: datetime, reason: str
) -> None:
    """End the ladder and the case; what people were asked to do for it is done (X11)."""
    await _END.run(session, customer_id=customer_id, at=at)
    await _CLOSE_TASKS.run(session, case_id=case_id, at=at, by=history.SYSTEM, outcome=reason)
    await _CLOSE_FILE.run(session, case_id=case_id, at=at)
    history.note(session, case_id, at, "dunning_ended", f"The dunning case ended: {reason}")
