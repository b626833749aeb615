"""Dunning rules: administrators only, to look at too (J2)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Body
from pydantic import Field

from domain.calendar import local_date
from domain.dunning.rule import Rule
from domain.dunning.rule_file import read_rule
from models.store import company
from models.store.dunning import rules as store
from models.store.dunning import selection
from starter import rule_runs, rules
from starter.api.auth import Admin
from starter.api.inputs import Input, Name
from starter.api.services import Uses
from starter.api.shapes import money
from starter.schedules import follow
from starter.services import Json, Services, now

router = APIRouter(prefix="/api/rules")

Document = Annotated[Json, Body()]


class Order(Input):
    """Names of rules in the order in which they shall run."""

    names: list[str] = Field(min_length=1, max_length=1000)


@router.get("")
async def list_rules(services: Uses, _: Admin) -> list[Json]:
    """Return all rules in their order (J3, J12)."""
    at = now()
    async with services.database.transaction() as session:
        zone = ZoneInfo((await company.get(session)).time_zone)
        return [rules.shown(stored, zone, at) for stored in await store.list_all(session)]


@router.post("")
async def add_rule(document: Document, services: Uses, user: Admin) -> Json:
    """Add a rule; exactly the same again is known."""
    async with services.database.transaction() as session:
        done = await rules.add(session, document, at=now(), by=user.name)
    await follow(services)
    return done


@router.put("")
async def edit_rule(document: Document, services: Uses, user: Admin) -> Json:
    """Change the rule of that name; what was proposed before keeps its version."""
    async with services.database.transaction() as session:
        done = await rules.edit(session, document, at=now(), by=user.name)
    await follow(services)
    return done


@router.post("/order")
async def order_rules(body: Order, services: Uses, user: Admin) -> Json:
    """Let the named rules run first, in this order."""
    async with services.database.transaction() as session:
        changed = await store.put_in_order(session, body.names, at=now(), by=user.name)
        names = [stored.rule.name for stored in await store.list_all(session)]
    return {"names": names, "known": not changed}


@router.post("/preview")
async def preview_file(document: Document, services: Uses, _: Admin) -> Json:
    """Return whom a rule would take now that is not stored."""
    return await _preview(services, read_rule(document), rule_id=0)


@router.get("/{name:path}/preview")
async def preview_rule(name: Name, services: Uses, _: Admin) -> Json:
    """Return whom a rule would take now, with the values; nothing is changed."""
    async with services.database.transaction() as session:
        stored = await store.get(session, name)
    return await _preview(services, stored.rule, rule_id=stored.id)


@router.post("/{name:path}/pause")
async def pause_rule(name: Name, services: Uses, user: Admin) -> Json:
    """Pause a rule until it is resumed (J5)."""
    return await _set_paused(services, name, paused=True, by=user.name)


@router.post("/{name:path}/resume")
async def resume_rule(name: Name, services: Uses, user: Admin) -> Json:
    """Let a rule run again."""
    return await _set_paused(services, name, paused=False, by=user.name)


@router.post("/{name:path}/run")
async def run_rule(name: Name, services: Uses, user: Admin) -> Json:
    """Run a rule now, paused or not (J4); the report as far as it has come in some seconds."""
    return await rule_runs.run_now(services, name, user.name)


@router.get("/{name:path}/runs/{key}")
async def show_run(name: Name, key: str, services: Uses, _: Admin) -> Json:
    """Wait some seconds for the end of a run, and return its report."""
    return await rule_runs.report(services, name, key)


# A name may hold a slash: what ends otherwise stands above.
@router.get("/{name:path}")
async def show_rule(name: Name, services: Uses, _: Admin) -> Json:
    """Return one rule with its next runs and who did what to it."""
    at = now()
    async with services.database.transaction() as session:
        zone = ZoneInfo((await company.get(session)).time_zone)
        stored = await store.get(session, name)
        lines = await store.history_of(session, stored.id)
    told = [
        {"at": line.at, "actor": line.actor, "event": line.event, "text": line.text}
        for line in lines
    ]
    return {**rules.shown(stored, zone, at), "history": told}


@router.delete("/{name:path}")
async def remove_rule(name: Name, services: Uses, user: Admin) -> Json:
    """Remove a rule; its history stays."""
    async with services.database.transaction() as session:
        await store.remove(session, name, at=now(), by=user.name)
    await follow(services)
    return {"name": name, "known": False}


async def _set_paused(services: Services, name: str, *, paused: bool, by: str) -> Json:
    async with services.database.transaction() as session:
        changed = await store.set_paused(session, name, paused=paused, at=now(), by=by)
    await follow(services)
    return {"name": name, "known": not changed}


async def _preview(services: Services, rule: Rule, *, rule_id: int) -> Json:
    async with services.database.transaction() as session:
        firm = await company.get(session)
        today = local_date(now(), firm.time_zone)
        rows = await selection.preview(
            session, rule, rule_id=rule_id, today=today, currency=firm.currency
        )
    told = [
        {
            "id": row["customer_id"],
            "customer_no": row["customer_no"],
            "name": row["name"],
            "values": _values(row["matched"], firm.currency),
            "reason": row["hold"],
        }
        for row in rows
    ]
    return {
        "customers": [
            {name: value for name, value in one.items() if name != "reason"}
            for one in told
            if not one["reason"]
        ],
        "skipped": [one for one in told if one["reason"]],
    }


def _values(matched: dict[str, Any], currency: str) -> Json:
    return {
        field: money(Decimal(value), currency) if field == "debt" else value
        for field, value in matched.items()
    }
