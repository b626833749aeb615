"""Dunning rules as people handle them: added, changed, put in order, looked at before they act."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.dunning.rule import Rule
from domain.dunning.rule_file import read_rule, write_rule
from domain.dunning.timetable import first_start, next_runs, next_weekday
from models.store import company
from models.store.dunning import rules
from models.store.dunning.rules import StoredRule
from starter.rule_files import shipped_rules

Json = dict[str, Any]
RUNS_SHOWN = 5


def start_of(rule: Rule, firm: Company, at: datetime) -> date:
    """Return the day from which a rule runs: its own, else the next matching one (X9)."""
    if rule.start_date is None:
        zone = ZoneInfo(firm.time_zone)
        return first_start(rule.interval, rule.weekday, rule.hour, zone, at)
    return next_weekday(rule.start_date, rule.weekday) if rule.weekday else rule.start_date


async def add(session: AsyncSession, document: Mapping[str, Any], *, at: datetime, by: str) -> Json:
    """Add a rule from its file; active at once (J6)."""
    rule = read_rule(document)
    start = start_of(rule, await company.get(session), at)
    new = await rules.add(session, rule, start=start, at=at, by=by)
    return {"name": rule.name, "known": not new}


async def edit(
    session: AsyncSession, document: Mapping[str, Any], *, at: datetime, by: str
) -> Json:
    """Give the rule of that name another content."""
    rule = read_rule(document)
    start = start_of(rule, await company.get(session), at)
    changed = await rules.edit(session, rule, start=start, at=at, by=by)
    return {"name": rule.name, "known": not changed}


async def ship(session: AsyncSession, at: datetime) -> bool:
    """Add the rules that come with Zahltag, paused (X17), where there never was any rule.

    Return whether they were added now.
    """
    firm = await company.find(session)
    if firm is None or await rules.ever_had_one(session):
        return False
    for document in shipped_rules():
        rule = read_rule(document)
        start = start_of(rule, firm, at)
        await rules.add(session, rule, start=start, at=at, by="zahltag", paused=True)
    return True


def shown(stored: StoredRule, zone: ZoneInfo, at: datetime) -> Json:
    """Return a rule with its place and times; a paused one has no next runs."""
    rule, runs = stored.rule, []
    if not stored.paused:
        runs = next_runs(stored.timetable, zone, at, RUNS_SHOWN)
    return {
        "id": stored.id,
        **write_rule(rule),
        "weekday": rule.weekday,
        "priority": stored.priority,
        "template": rule.template,
        "title": rule.title,
        "description": rule.description,
        "start_date": stored.start_date.isoformat(),
        "status": "paused" if stored.paused else "active",
        "paused": stored.paused,
        "version": stored.version,
        "last_run": stored.last_run,
        "next_runs": [run.at.astimezone(zone).isoformat() for run in runs],
    }
