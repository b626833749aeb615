"""The routing rules: every version stays, the last one holds."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.order import Order
from domain.routing import Routed, route
from domain.routing_file import read_rules
from models.tables import RoutingVersion

Json = dict[str, Any]
NO_RULES: Json = {"rules": []}


async def latest(session: AsyncSession) -> RoutingVersion | None:
    """Return the version that holds, None where none was ever set."""
    query = select(RoutingVersion).order_by(col(RoutingVersion.id).desc()).limit(1)
    return (await session.exec(query)).one_or_none()


async def put(session: AsyncSession, rules: Json, *, at: datetime, by: str) -> None:
    """Set the rules; orders that were routed before stay where they are."""
    session.add(RoutingVersion(rules=rules, set_at=at, set_by=by))
    await session.flush()


def decide(rules: Json | None, order: Order) -> Routed:
    """Return what the rules that hold decide for an order; without rules nothing."""
    if rules is None:
        return Routed()
    # A user who has left since must not keep orders from being checked: names are not asked again.
    return route(order, read_rules(rules, None))


def dump(routed: Routed) -> Json:
    """Return the decision as JSON, without what it leaves open."""
    found = asdict(routed) | {"tags": list(routed.tags)}
    return {name: value for name, value in found.items() if value not in ("", None, [])}
