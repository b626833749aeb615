"""A rule's run from its selection to its end: what was selected, handed over, and is left to do.

How far a run has come stands here and nowhere else: whoever goes on with it, after a crash or in
another workflow, goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import update
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.actions import Action
from domain.dunning.rule import Rule
from domain.dunning.rule_file import read_rule
from domain.errors import NotFoundError
from models.messages import RunStart
from models.store import history
from models.store.dunning import rules
from models.store.dunning.schedules import MISSED_SLOT
from models.store.sql import Row, Statement
from models.tables import CaseException

RUN_FAILED = "run_failed"
_MINUTE, _FORGOTTEN = timedelta(minutes=1), timedelta(days=7)

_RUN = """
select r.id, r.key, r.rule_id, r.kind, r.slot, r.day, r.asked_by, r.matched, r.taken,
       r.handed_over, r.finished_at, v.content,
       coalesce((select x.id from dunning_claim x where x.run_id = r.id and r.handed_over > 0
                 order by x.id offset greatest(r.handed_over - 1, 0) limit 1), 0) as after
from dunning_run r join dunning_rule_version v on v.id = r.rule_version_id
"""
_BY_ID = Statement(f"{_RUN} where r.id = :id")
_BY_KEY = Statement(f"{_RUN} where r.key = :key")
_LOCK_CUSTOMERS = Statement("""
select from customer where id = any(cast(:ids as bigint[])) order by id for no key update
""")
_PROGRESS = Statement("""
update dunning_run set handed_over = greatest(handed_over,
    (select count(*) from dunning_claim where run_id = :id and id <= :after))
where id = :id returning handed_over
""")
_FINISH = Statement("""
update dunning_run set finished_at = :at,
  handed_over = case when :cancelled then handed_over else taken end
where id = :id and finished_at is null returning id
""")
_UNFINISHED = Statement("""
select key, rule_id, slot, asked_by from dunning_run
where finished_at is null and selected_at between :since and :before order by id
""")
_CLOSE_TASKS = Statement("""
update task set status = 'done', outcome = 'a later run succeeded', done_by = :by, done_at = :at
where case_id = :case_id and kind = :kind and status = 'open'
""")


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands. ``after`` is the claim up to which its customers are handed over.

    ``rule`` is what the rule said when the run selected.
    """

    id: int
    key: str
    rule_id: int
    slot: datetime | None
    asked_by: str
    matched: int
    taken: int
    handed_over: int
    after: int
    finished: bool
    rule: Rule

    @property
    def action(self) -> Action:
        """What it does with each customer."""
        return self.rule.action

    @property
    def when(self) -> str:
        """Say in which slot it ran, or who asked for it."""
        return f"slot {self.slot:%Y-%m-%d %H:%M}" if self.slot else f"run now by {self.asked_by}"


async def get(session: AsyncSession, run_id: int) -> Run:
    """Return a run; LookupError if there is none."""
    return _run(await _BY_ID.one(session, id=run_id))


async def find(session: AsyncSession, key: str) -> Run | None:
    """Return the run of that key, None while it has not selected."""
    row = await _BY_KEY.row(session, key=key)
    return _run(row) if row else None


async def of_rule(session: AsyncSession, name: str, key: str) -> Run | None:
    """Return the run of a rule by its key; NotFoundError if it is another rule's."""
    stored, run = await rules.get(session, name), await find(session, key)
    if run is not None and run.rule_id != stored.id:
        raise NotFoundError(f"The rule {name!r} has no run {key}.")
    return run


async def lock_customers(session: AsyncSession, customer_ids: Sequence[int]) -> None:
    """Lock customers in the order in which everybody does."""
    await _LOCK_CUSTOMERS.run(session, ids=list(customer_ids))


async def handed_over(session: AsyncSession, run_id: int, after: int) -> int:
    """Note that the customers up to that claim are handed over; return how many those are."""
    count: int = await _PROGRESS.value(session, id=run_id, after=after)
    return count


async def finish(
    session: AsyncSession, run_id: int, at: datetime, *, cancelled: bool = False
) -> None:
    """Note that a run is over, once. It makes good what was missed or failed of its rule before."""
    if await _FINISH.value(session, id=run_id, at=at, cancelled=cancelled) is None:
        return
    run = await get(session, run_id)
    case_id, by = f"rule-{run.rule_id}", run.asked_by or history.SYSTEM
    counts = f"{run.matched} matched, {run.handed_over} handed over"
    counts += f", {run.matched - run.taken} skipped"
    said = "Cancelled in Temporal" if cancelled else "Ran"
    history.note(session, case_id, at, "rule_ran", f"{said} ({run.when}): {counts}", by, run=run_id)
    if cancelled:
        return
    await session.exec(
        update(CaseException)
        .where(
            col(CaseException.case_id) == case_id,
            col(CaseException.kind).in_((MISSED_SLOT, RUN_FAILED)),
            col(CaseException.resolved_at).is_(None),
        )
        .values(resolved_at=at, resolved_by=by)
    )
    await _CLOSE_TASKS.run(session, case_id=case_id, kind=RUN_FAILED, by=by, at=at)


async def unfinished(session: AsyncSession, at: datetime) -> list[tuple[str, RunStart]]:
    """Return the runs, with their keys, that selected a minute ago or longer and are not over."""
    rows = await _UNFINISHED.rows(session, since=at - _FORGOTTEN, before=at - _MINUTE)
    return [
        (
            row["key"],
            RunStart(rule_id=row["rule_id"], slot=row["slot"], asked_by=row["asked_by"]),
        )
        for row in rows
    ]


def _run(row: Row) -> Run:
    values: dict[str, Any] = dict(row)
    return Run(
        id=values["id"],
        key=values["key"],
        rule_id=values["rule_id"],
        slot=values["slot"],
        asked_by=values["asked_by"],
        matched=values["matched"],
        taken=values["taken"],
        handed_over=values["handed_over"],
        after=values["after"],
        finished=values["finished_at"] is not None,
        rule=read_rule(values["content"]),
    )
