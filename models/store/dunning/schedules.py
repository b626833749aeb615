"""How the Schedules of rules stand, as far as we know, and the slots that were missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.dunning.ticks import PATIENCE
from domain.dunning.timetable import runs_between
from domain.errors import Problem
from models.dunning_tables import DunningRule
from models.store import tasks
from models.store.dunning import rules
from models.store.dunning.rules import StoredRule
from models.store.dunning.telling import tell_all

MISSED_SLOT = "missed_slot"
SCHEDULE_DELETED = "schedule_deleted"
_IN_TEMPORAL = "operator via Temporal"
_OWNER = "admin"
_DAY = timedelta(days=1)

_RUNS_OF = text("""
select slot from dunning_run where rule_id = :rule_id and slot = any(cast(:slots as timestamp[]))
""")


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A rule, and the row that says how its Schedule was left; both locked."""

    rule: StoredRule
    row: DunningRule


async def lock(session: AsyncSession, rule_id: int) -> Scheduled | None:
    """Lock a rule: one reconciler at a time, and no command in between. None if it is gone."""
    query = select(DunningRule).where(DunningRule.id == rule_id).with_for_update(key_share=True)
    row = (await session.exec(query)).one_or_none()
    if row is None or row.removed_at is not None:
        return None
    return Scheduled(await rules.get(session, row.name), row)


async def rule_ids(session: AsyncSession) -> list[int]:
    """Return the ids of all rules that are there."""
    query = select(DunningRule.id).where(col(DunningRule.removed_at).is_(None)).order_by("id")
    return [rule_id for rule_id in await session.exec(query) if rule_id is not None]


async def removed(session: AsyncSession) -> list[DunningRule]:
    """Return, locked, the removed rules that may still have a Schedule."""
    query = (
        select(DunningRule)
        .where(col(DunningRule.removed_at).is_not(None), DunningRule.scheduled_in != "")
        .order_by(col(DunningRule.id))
        .with_for_update(key_share=True)
    )
    return list(await session.exec(query))


async def unknown(session: AsyncSession, ids: Sequence[int]) -> list[int]:
    """Return those of the ids that no present rule has."""
    there = set(await rule_ids(session))
    return [rule_id for rule_id in ids if rule_id not in there]


async def paused_in_temporal(session: AsyncSession, found: Scheduled, at: datetime) -> None:
    """Pause the rule: somebody paused its Schedule, and a pause holds (X19)."""
    found.row.paused = found.row.schedule_paused = True
    rules.note(session, found.rule.id, at, "rule_paused", "Paused in Temporal", _IN_TEMPORAL)
    await tell_all(session, at)


async def deleted_in_temporal(
    session: AsyncSession, found: Scheduled, firm: Company, at: datetime
) -> None:
    """Pause the rule: somebody deleted its Schedule. It comes back paused, with a task (X19)."""
    name, row = found.rule.rule.name, found.row
    if not row.paused:
        await tell_all(session, at)
    row.paused = row.schedule_paused = True
    row.scheduled_in = ""
    said = "Paused: its Schedule was deleted in Temporal"
    rules.note(session, found.rule.id, at, "rule_paused", said, _IN_TEMPORAL)
    today = at.astimezone(ZoneInfo(firm.time_zone)).date()
    await tasks.create(
        session,
        key=f"rule-{found.rule.id}:{SCHEDULE_DELETED}:{at.isoformat()}",
        kind=SCHEDULE_DELETED,
        title=f"The Schedule of the rule {name!r} was deleted in Temporal",
        description="It was made anew, paused, and the rule is paused with it. If the rule shall"
        f" run, resume it: `zahltag rule resume {name!r}`. If not, remove it:"
        f" `zahltag rule remove {name!r}`.",
        assignee=tasks.assignee(firm, _OWNER),
        due=today + _DAY,
        case_id=f"rule-{found.rule.id}",
        at=at,
        context={"rule": name, "at": at.isoformat()},
    )


async def note_missed(
    session: AsyncSession, found: Scheduled, zone: ZoneInfo, at: datetime
) -> list[datetime]:
    """Make an exception of every slot that had no run in 24 hours, once; return these slots.

    A rule that is paused misses nothing. ``watched_from`` moves on: no slot is looked at twice.
    """
    row, table = found.row, found.rule.timetable
    row.watched_from = row.watched_from or at
    if row.paused:
        return []
    due = list(runs_between(table, zone, row.watched_from, at - PATIENCE))
    if not due:
        return []
    values = {"rule_id": found.rule.id, "slots": [run.slot for run in due]}
    ran = set((await session.execute(_RUNS_OF, values)).scalars())
    missed = [run.slot for run in due if run.slot not in ran]
    for slot in missed:
        await tasks.raise_exception(session, f"rule-{found.rule.id}", _missed(found, slot), at)
    row.watched_from = due[-1].at
    return missed


def _missed(found: Scheduled, slot: datetime) -> Problem:
    name = found.rule.rule.name
    return Problem(
        field=f"{slot:%Y-%m-%dT%H:%M}",
        expected=f"a run of the rule {name!r} at that time; to run it now:"
        f" `zahltag rule run {name!r}`",
        found="no run within 24 hours",
        kind=MISSED_SLOT,
        owner=_OWNER,
    )
