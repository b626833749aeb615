"""Rules in a database and their Schedules in a Temporal: what tests do with both."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from temporalio.client import Client, ScheduleDescription
from temporalio.service import RPCError

from activities import schedules
from activities.schedule_specs import rule_id_of
from domain.dunning.rule_file import read_rule
from models.store import tasks
from models.store.database import Database
from models.store.dunning import rules
from models.store.dunning.rules import StoredRule

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass
class Clockwork:
    """Rules in a database and Schedules in a Temporal."""

    client: Client
    database: Database
    at: datetime = NOW
    queue: str = "clockwork"

    async def add(self, document: dict[str, Any], *, paused: bool = False, **more: Any) -> int:
        """Add a rule; return its id."""
        rule = read_rule({**document, **more})
        start = rule.start_date or date(2026, 11, 1)
        async with self.database.transaction() as session:
            await rules.add(session, rule, start=start, at=self.at, by="admin", paused=paused)
            return (await rules.get(session, rule.name)).id

    async def edit(self, document: dict[str, Any], **more: Any) -> None:
        """Change a rule."""
        rule = read_rule({**document, **more})
        async with self.database.transaction() as session:
            await rules.edit(session, rule, start=date(2026, 11, 1), at=self.at, by="admin")

    async def pause(self, name: str, *, paused: bool = True) -> None:
        """Pause or resume a rule."""
        async with self.database.transaction() as session:
            await rules.set_paused(session, name, paused=paused, at=self.at, by="admin")

    async def keep(self) -> None:
        """Let the reconciler run once."""
        await schedules.reconcile(self.client, self.database, self.queue, self.at)

    async def rule(self, name: str = "Erste Mahnung") -> StoredRule:
        """Return a rule."""
        async with self.database.transaction() as session:
            return await rules.get(session, name)

    async def history(self, rule_id: int) -> list[str]:
        """Return what happened to a rule."""
        async with self.database.transaction() as session:
            return [line.text for line in await rules.history_of(session, rule_id)]

    async def tasks(self) -> list[str]:
        """Return the titles of all tasks."""
        async with self.database.transaction() as session:
            return [task.title for task in await tasks.list_tasks(session)]

    async def missed(self) -> list[str]:
        """Return the slots that wait for a person."""
        async with self.database.transaction() as session:
            found = await tasks.list_exceptions(session)
        return [row.field for row in found if row.kind == "missed_slot"]

    def schedule(self, rule_id: int) -> Any:
        """Return the handle of a rule's Schedule."""
        return self.client.get_schedule_handle(f"dunning-rule-{rule_id}")

    async def there(self, rule_id: int) -> ScheduleDescription:
        """Describe a rule's Schedule."""
        found: ScheduleDescription = await self.schedule(rule_id).describe()
        return found

    async def is_paused(self, rule_id: int) -> bool:
        """Tell whether a rule's Schedule is paused."""
        return (await self.there(rule_id)).schedule.state.paused

    async def clear(self) -> None:
        """Delete every Schedule."""
        async for one in await self.client.list_schedules():
            if rule_id_of(one.id) is not None:
                await gone(self.client, one.id)


async def gone(client: Client, name: str) -> None:
    """Delete a Schedule that may be gone."""
    try:
        await client.get_schedule_handle(name).delete()
    except RPCError as error:
        assert "not found" in str(error)  # noqa: PT017
