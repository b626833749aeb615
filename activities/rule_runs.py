"""The steps of a rule's run: is it due, whom does it take, and to whom are they handed over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from temporalio import activity
from temporalio.client import Client

from activities.schedules import reconcile
from activities.services import Services
from activities.waiting import present
from domain.calendar import local_date
from domain.dunning.ticks import decide
from models.dunning_start import start_dunning_case
from models.messages import LookAgain, SlotStart
from models.run_messages import (
    DueRule,
    DueRules,
    Page,
    PageRequest,
    Selected,
    SelectRequest,
    TickPlan,
    TickRequest,
)
from models.store import company
from models.store.dunning import opening, rules, runs, selection
from models.store.dunning.telling import LOOK_AGAIN

PAGE = 200
# Signals under way at a time: Temporal answers within some milliseconds each.
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RuleRunActivities:
    """What a tick, a slot and a run do in the database, and the hand-over to the cases."""

    services: Services

    @activity.defn(name="call_rule")
    async def call_rule(self, request: TickRequest) -> TickPlan:
        """Bring the rule's Schedule up to date, then say what its firing means."""
        at, database = present(request.at), self.services.database
        queue = self.services.settings.task_queue
        await reconcile(activity.client(), database, queue, at, only=request.rule_id)
        async with database.transaction() as session:
            firm = await company.get(session)
            stored = await rules.by_id(session, request.rule_id)
        tick = decide(
            stored.timetable,
            ZoneInfo(firm.time_zone),
            scheduled=request.scheduled,
            started=request.started,
            now=at,
            paused=stored.paused,
        )
        return TickPlan(kind=tick.kind, why=tick.why, rule=stored.rule.name, slot=tick.slot)

    @activity.defn(name="due_rules")
    async def due_rules(self, start: SlotStart) -> DueRules:
        """Return the active rules that are due in a slot, in their order (J12)."""
        async with self.services.database.transaction() as session:
            zone = ZoneInfo((await company.get(session)).time_zone)
            due = [
                DueRule(rule_id=stored.id, name=stored.rule.name)
                for stored in await rules.list_all(session)
                if _is_due(stored, start.slot, zone)
            ]
        return DueRules(rules=tuple(due))

    @activity.defn(name="select_customers")
    async def select_customers(self, request: SelectRequest) -> Selected:
        """Select and claim the customers of a run, once; again: say how far it has come."""
        at, start = present(request.at), request.start
        async with self.services.database.transaction() as session:
            run = await runs.find(session, request.key)
            if run is None:
                firm = await company.get(session)
                today = local_date(at, firm.time_zone)
                stored = await rules.by_id(session, start.rule_id)
                await selection.end_settled(session, today=today, at=at)
                asked = selection.RunRequest(request.key, start.slot, today, at, start.asked_by)
                done = await selection.run(session, stored, asked, currency=firm.currency)
                run = await runs.get(session, done.run_id)
        return Selected(
            run_id=run.id,
            rule=run.rule.name,
            action=run.action,
            matched=run.matched,
            taken=run.taken,
            handed_over=run.handed_over,
            after=run.after,
            finished=run.finished,
        )

    @activity.defn(name="hand_over")
    async def hand_over(self, request: PageRequest) -> Page:
        """Hand the next customers over to their dunning cases; again: no harm.

        Their cases are open before anybody is told: what is not told now, the sweeper starts.
        """
        database, run_id, at = self.services.database, request.run_id, present(request.at)
        async with database.transaction() as session:
            rows = await selection.page(session, run_id, after=request.after, size=PAGE)
            customers = [row["customer_id"] for row in rows]
            await runs.lock_customers(session, customers)
            await opening.open_cases(session, customers, at)
        await self._tell([row["customer_no"] for row in rows], run_id)
        after = rows[-1]["id"] if rows else request.after
        async with database.transaction() as session:
            count = await runs.handed_over(session, run_id, after)
        return Page(after=after, handed_over=count, last=len(rows) < PAGE)

    async def _tell(self, numbers: Sequence[str], run_id: int) -> None:
        client, waiting = activity.client(), iter(numbers)
        message = LookAgain(outbox_id=f"run-{run_id}")

        async def tell_some() -> None:
            for number in waiting:
                await self._tell_one(client, number, message)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(AT_ONCE, len(numbers))):
                    group.create_task(tell_some())
        except ExceptionGroup as errors:  # one says enough: Temporal is away
            raise errors.exceptions[0] from None

    async def _tell_one(self, client: Client, number: str, message: LookAgain) -> None:
        await start_dunning_case(
            client,
            number,
            task_queue=self.services.settings.task_queue,
            signal=(LOOK_AGAIN, message),
        )


def _is_due(stored: rules.StoredRule, slot: datetime, zone: ZoneInfo) -> bool:
    """Tell whether an active rule is due in a slot that came after it was made."""
    table = stored.timetable
    if stored.paused or slot.hour != table.hour or not table.runs_on(slot.date()):
        return False
    return stored.created_at <= table.run(slot.date(), zone).at
