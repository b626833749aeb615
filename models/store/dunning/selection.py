"""A rule run selects its customers: facts, filters and claims in one statement, all or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.actions import lane
from domain.dunning.holds import Hold
from domain.dunning.rule import Rule
from models.dunning_tables import DunningRun
from models.store.dunning import facts
from models.store.dunning.rules import StoredRule

# The claim is what makes it safe: two runs that want the same customer, day and lane meet at the
# unique constraint, and the second one sees it taken. Both go by customer number: no deadlock.
_SELECT = """
with matched as materialized ({matched}),
taken as (
  insert into dunning_claim (run_id, customer_id, day, lane, matched)
  select :run_id, customer_id, cast(:today as date), :lane, matched
  from matched where hold is null order by customer_no
  on conflict (customer_id, day, lane) do nothing
  returning customer_id),
skipped as (
  insert into dunning_skip (run_id, customer_id, reason)
  select :run_id, m.customer_id, coalesce(m.hold, :taken)
  from matched m left join taken t on t.customer_id = m.customer_id
  where t.customer_id is null)
select (select count(*) from matched) as matched, (select count(*) from taken) as taken
"""

_END_SETTLED = text("""
update dunning_case k set ended_at = greatest(cast(:at as timestamptz), k.started_at)
where k.ended_at is null and not exists (
  select from open_item o where o.customer_id = k.customer_id and o.open_amount > 0
  and o.due_date < cast(:today as date))
returning k.customer_id
""")

_PAGE = text("""
select x.id, x.customer_id, c.customer_no, x.matched
from dunning_claim x join customer c on c.id = x.customer_id
where x.run_id = :run_id and x.id > :after order by x.id limit :size
""")

_SKIPPED = text("""
select c.customer_no, s.reason from dunning_skip s join customer c on c.id = s.customer_id
where s.run_id = :run_id order by c.customer_no
""")


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Which run: ``key`` names it for ever, ``slot`` is None for a run that a person asked for."""

    key: str
    slot: datetime | None
    day: date
    at: datetime
    asked_by: str = ""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run selected. ``repeated``: it was done before, and this is what it did then."""

    run_id: int
    matched: int
    taken: int
    repeated: bool


async def run(
    session: AsyncSession, stored: StoredRule, request: RunRequest, *, currency: str
) -> Selection:
    """Select and claim the rule's customers, once per key, and once per rule and slot.

    A second run of the same day finds the customers taken: it claims nobody and says so.
    """
    statement = (
        insert(DunningRun)
        .values(
            key=request.key,
            rule_id=stored.id,
            rule_version_id=stored.version_id,
            kind="now" if request.slot is None else "scheduled",
            slot=request.slot,
            day=request.day,
            asked_by=request.asked_by,
            selected_at=request.at,
            matched=0,
            taken=0,
        )
        .on_conflict_do_nothing()
        .returning(col(DunningRun.id))
    )
    run_id = (await session.exec(statement)).scalar_one_or_none()
    if run_id is None:
        return await _earlier(session, stored, request)
    found = facts.matched(stored.rule)
    values = _values(stored.rule, stored.id, request.day, currency) | found.values
    counts = (
        await session.execute(
            text(_SELECT.format(matched=found.query)),
            {**values, "run_id": run_id, "taken": Hold.TAKEN.value},
        )
    ).one()
    await session.execute(
        text("update dunning_run set matched = :matched, taken = :taken where id = :id"),
        {"matched": counts.matched, "taken": counts.taken, "id": run_id},
    )
    return Selection(run_id, counts.matched, counts.taken, repeated=False)


async def preview(
    session: AsyncSession, rule: Rule, *, rule_id: int, today: date, currency: str
) -> Sequence[RowMapping]:
    """Return whom a rule matches now, with the values and what holds them back; changes nothing.

    ``rule_id`` is 0 for a rule that is not stored.
    """
    found = facts.matched(rule)
    values = _values(rule, rule_id, today, currency) | found.values
    rows = await session.execute(text(f"{found.query} order by c.customer_no"), values)
    return rows.mappings().all()


async def end_settled(session: AsyncSession, *, today: date, at: datetime) -> list[int]:
    """End the dunning cases of customers to whom nothing is overdue any more; return whose (X11).

    What is disputed or blocked is overdue all the same: a dispute does not begin the ladder anew.
    """
    values = {"today": today, "at": at}
    return list((await session.execute(_END_SETTLED, values)).scalars())


async def page(
    session: AsyncSession, run_id: int, *, after: int = 0, size: int = 500
) -> Sequence[RowMapping]:
    """Return a page of what a run took, by customer number; ``after`` is the last id seen."""
    values = {"run_id": run_id, "after": after, "size": size}
    return (await session.execute(_PAGE, values)).mappings().all()


async def skipped(session: AsyncSession, run_id: int) -> Sequence[RowMapping]:
    """Return whom a run matched and did not take, and why."""
    return (await session.execute(_SKIPPED, {"run_id": run_id})).mappings().all()


async def _earlier(session: AsyncSession, stored: StoredRule, request: RunRequest) -> Selection:
    same = col(DunningRun.key) == request.key
    if request.slot is not None:
        same |= (col(DunningRun.rule_id) == stored.id) & (col(DunningRun.slot) == request.slot)
    query = select(DunningRun).where(same)
    row = (await session.exec(query)).one()
    return Selection(row.id or 0, row.matched, row.taken, repeated=True)


def _values(rule: Rule, rule_id: int, today: date, currency: str) -> dict[str, Any]:
    return {
        "today": today,
        "currency": currency,
        "rule_id": rule_id,
        "lane": lane(rule.action, rule_id),
    }
