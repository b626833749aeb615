"""Dunning rules: versioned, in their order, paused or not. A removed one stays for its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, func, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.rule import Rule
from domain.dunning.rule_file import read_rule, write_rule
from domain.dunning.timetable import Timetable
from domain.errors import ConflictError, NotFoundError, RefusedError
from models.codec import digest
from models.dunning_tables import DunningRule, DunningRuleVersion
from models.store import history
from models.store.dunning.telling import tell_all
from models.tables import History

_ORDER_LOCK = text("select pg_advisory_xact_lock(hashtextextended('dunning_rules', 0))")

_RULES = text("""
select r.id, r.name, r.priority, r.paused, r.created_at, r.created_by, v.id as version_id,
       v.version, v.content, v.digest, v.start_date,
       (select max(n.selected_at) from dunning_run n where n.rule_id = r.id) as last_run
from dunning_rule r
join dunning_rule_version v on v.rule_id = r.id and v.version = r.version
where r.removed_at is null and (cast(:name as text) is null or r.name = :name)
order by r.priority, r.id
""")


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule with its place and its version in force. ``start_date`` is given or chosen."""

    id: int
    version_id: int
    version: int
    priority: int
    paused: bool
    start_date: date
    digest: str
    rule: Rule
    created_at: datetime
    last_run: datetime | None

    @property
    def timetable(self) -> Timetable:
        """When it runs."""
        return self.rule.timetable(self.start_date)


async def list_all(session: AsyncSession) -> list[StoredRule]:
    """Return all rules in the order in which they run."""
    found = (await session.execute(_RULES, {"name": None})).mappings().all()
    return [_stored(row) for row in found]


async def get(session: AsyncSession, name: str) -> StoredRule:
    """Return a rule; NotFoundError if there is none."""
    row = (await session.execute(_RULES, {"name": name})).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no rule {name!r}; `zahltag rule list` shows them.")
    return _stored(row)


async def by_id(session: AsyncSession, rule_id: int) -> StoredRule:
    """Return a rule that is there; NotFoundError if it is not, or was removed."""
    row = await any_by_id(session, rule_id)
    if row.removed_at is not None:
        raise NotFoundError(f"There is no rule {rule_id} any more.")
    return await get(session, row.name)


async def any_by_id(session: AsyncSession, rule_id: int) -> DunningRule:
    """Return a rule's row, also of one that was removed; NotFoundError if it never was."""
    row = await session.get(DunningRule, rule_id)
    if row is None:
        raise NotFoundError(f"There is no rule {rule_id}.")
    return row


async def ever_had_one(session: AsyncSession) -> bool:
    """Tell whether there is or was any rule: a removed sample does not come back."""
    return (await session.exec(select(DunningRule.id).limit(1))).first() is not None


async def add(
    session: AsyncSession,
    rule: Rule,
    *,
    start: date,
    at: datetime,
    by: str,
    paused: bool = False,
) -> bool:
    """Add a rule; False if exactly this one is there, ConflictError if another has its name.

    It is active at once (J6) unless ``paused``. Without a priority it runs last.
    """
    await session.execute(_ORDER_LOCK)
    known = await _find(session, rule.name)
    if known is not None:
        if known.digest == digest(write_rule(rule)):
            return False
        raise ConflictError(
            f"There is a rule {rule.name!r} that says something else; change it with"
            " `zahltag rule edit FILE`, or choose another name."
        )
    last = (await session.exec(select(func.max(DunningRule.priority)).where(_present()))).one()
    row = DunningRule(
        name=rule.name,
        priority=rule.priority or (last or 0) + 1,
        paused=paused,
        schedule_paused=paused,
        watched_from=at,
        created_at=at,
        created_by=by,
    )
    session.add(row)
    await session.flush()
    await _say(session, row, rule, start, at, by)
    note(session, row.id or 0, at, "rule_added", "Added, paused" if paused else "Added", by)
    if not paused:
        await tell_all(session, at)
    return True


async def edit(session: AsyncSession, rule: Rule, *, start: date, at: datetime, by: str) -> bool:
    """Give a rule a new version; False if it says exactly this already.

    What was proposed before keeps the version that it was made by. The start date stays if the
    file names none and the rule runs on the same days as before, so that weeks do not flip (X9).
    """
    await session.execute(_ORDER_LOCK)
    known = await get(session, rule.name)
    if known.digest == digest(write_rule(rule)):
        return False
    before = (known.rule.interval, known.rule.weekday, known.rule.start_date)
    if rule.start_date is None and before == (rule.interval, rule.weekday, None):
        start = known.start_date
    row = await _lock(session, rule.name)
    row.version += 1
    row.priority = rule.priority or row.priority
    row.watched_from = at
    await _say(session, row, rule, start, at, by)
    note(session, row.id or 0, at, "rule_changed", f"Version {row.version}", by)
    if not row.paused:
        await tell_all(session, at)
    return True


async def set_paused(
    session: AsyncSession, name: str, *, paused: bool, at: datetime, by: str
) -> bool:
    """Pause or resume a rule (J5); False if it is so already. Run now works meanwhile.

    That its Schedule is paused is written before it is done, that it runs again after: so a pause
    that we did not write was made by somebody else (X19).
    """
    row = await _lock(session, name)
    if row.paused == paused:
        return False
    row.paused, row.watched_from = paused, at
    row.schedule_paused = paused or row.schedule_paused
    event, said = ("rule_paused", "Paused") if paused else ("rule_resumed", "Resumed")
    note(session, row.id or 0, at, event, said, by)
    await tell_all(session, at)
    return True


async def remove(session: AsyncSession, name: str, *, at: datetime, by: str) -> None:
    """Remove a rule (J7); what it did and said stays, and the name is free again."""
    row = await _lock(session, name)
    row.removed_at, row.removed_by = at, by
    note(session, row.id or 0, at, "rule_removed", "Removed", by)
    if not row.paused:
        await tell_all(session, at)


async def put_in_order(
    session: AsyncSession, names: Sequence[str], *, at: datetime, by: str
) -> bool:
    """Let the named rules run first, in this order, and the others after them (J12).

    False if that is the order already; RefusedError if a name stands twice.
    """
    await session.execute(_ORDER_LOCK)
    if len({*names}) != len(names) or not names:
        raise RefusedError("Name every rule once, in the order in which they shall run.")
    named = [(await get(session, name)).id for name in names]
    query = (
        select(DunningRule)
        .where(_present())
        .order_by(col(DunningRule.id))
        .with_for_update(key_share=True)
    )
    rows = {row.id or 0: row for row in await session.exec(query)}
    before = sorted(rows, key=lambda key: (rows[key].priority, key))
    wanted = [*named, *(key for key in before if key not in named)]
    if wanted == before and [rows[key].priority for key in wanted] == [*range(1, len(rows) + 1)]:
        return False
    for place, key in enumerate(wanted, start=1):
        if rows[key].priority != place:
            rows[key].priority = place
            note(session, key, at, "rule_moved", f"Runs as number {place}", by)
    await tell_all(session, at)
    return True


def note(session: AsyncSession, rule_id: int, at: datetime, event: str, said: str, by: str) -> None:
    """Write into the history of a rule: who changed what of it, and when."""
    history.note(session, f"rule-{rule_id}", at, event, said, by)


async def history_of(session: AsyncSession, rule_id: int) -> list[History]:
    """Return who did what to a rule, oldest first."""
    return await history.of_case(session, f"rule-{rule_id}")


def _present() -> Any:  # noqa: ANN401 - an SQL condition
    return col(DunningRule.removed_at).is_(None)


async def _find(session: AsyncSession, name: str) -> StoredRule | None:
    row = (await session.execute(_RULES, {"name": name})).mappings().one_or_none()
    return _stored(row) if row else None


async def _lock(session: AsyncSession, name: str) -> DunningRule:
    query = (
        select(DunningRule)
        .where(DunningRule.name == name, _present())
        .with_for_update(key_share=True)
    )
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no rule {name!r}; `zahltag rule list` shows them.")
    return row


async def _say(
    session: AsyncSession, row: DunningRule, rule: Rule, start: date, at: datetime, by: str
) -> None:
    content = write_rule(rule)
    session.add(
        DunningRuleVersion(
            rule_id=row.id or 0,
            version=row.version,
            content=content,
            digest=digest(content),
            start_date=start,
            made_at=at,
            made_by=by,
        )
    )
    await session.flush()


def _stored(row: RowMapping) -> StoredRule:
    return StoredRule(
        id=row["id"],
        version_id=row["version_id"],
        version=row["version"],
        priority=row["priority"],
        paused=row["paused"],
        start_date=row["start_date"],
        digest=row["digest"],
        rule=read_rule(row["content"]),
        created_at=row["created_at"],
        last_run=row["last_run"],
    )
