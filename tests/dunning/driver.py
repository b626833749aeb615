"""Dunning without Temporal: its activities in the order in which the workflows call them.

The clock is the test's own and jumps from one slot or timer to the next, so that a year of rules
passes in seconds. What the workflows themselves do is tested on a real server
(``tests/workflows``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Any, cast
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import text
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.services import Services
from domain.dunning.actions import Action
from domain.dunning.case import Step
from domain.dunning.rule_file import read_rule
from domain.dunning.timetable import first_start, runs_after
from models.messages import Command, DecisionRequest, DunningProgress, RunStart, StepRequest
from models.run_messages import PageRequest, RunRequest, Selected, SelectRequest
from models.store.decisions import Decision
from models.store.dunning import decisions, rules
from models.store.dunning.rules import StoredRule
from models.store.dunning.telling import PREFIX, case_id_of
from starter import open_item_import, receipts
from starter.payment_checks import Entry
from tests.api.open_items import csv_file, row
from tests.invariants import check
from worker import dunning_activities_of, run_activities_of

Change = Callable[[], Awaitable[None]]


class Ears:
    """Temporal's client, as far as a run needs one: it hears whose case is told."""

    def __init__(self) -> None:
        """Nobody yet."""
        self.told: list[str] = []

    async def start_workflow(self, _name: str, _start: object, *, id: str, **_: object) -> None:  # noqa: A002 - Temporal's name
        """Hear that a case is told."""
        self.told.append(id)


@dataclass
class Driver:
    """A database, a mailbox, a spool of letters, and the clock; ``at`` is the present."""

    services: Services
    at: datetime
    ears: Ears = field(default_factory=Ears)
    plans: dict[str, DunningProgress] = field(default_factory=dict)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Berlin"))

    # What happens to the company -----------------------------------------------------------------

    async def owes(self, amount: str, due: date, number: str = "D-1", **changes: Any) -> None:
        """Import an open item; an open case hears of it."""
        await self.owes_unheard(amount, due, number, **changes)
        await self.hear()

    async def owes_unheard(
        self, amount: str, due: date, number: str = "D-1", **changes: Any
    ) -> None:
        """Import an open item; its invoice is named after the customer and the day."""
        line = {
            "customer_no": number,
            "invoice_no": f"ALT-{number}-{due:%m%d}",
            "invoice_date": (due - timedelta(days=14)).isoformat(),
            "due_date": due.isoformat(),
            "amount": amount,
            "email": f"{number.lower()}@schuldner.example",
        }
        content = csv_file(row(**(line | changes)))
        await open_item_import.import_open_items(
            self.services.database,
            BytesIO(content),
            sha256=hashlib.sha256(content).hexdigest(),
            at=self.at,
            by="tests",
        )

    async def pays(self, amount: str, due: date, number: str = "D-1") -> None:
        """Let money for the invoice that was due on a day arrive; the case hears of it."""
        await self.books(amount, due, number)
        await self.hear()

    async def books(self, amount: str, due: date, number: str = "D-1") -> None:
        """Let money arrive, and tell nobody yet."""
        entry = Entry(f"ALT-{number}-{due:%m%d}", amount, "EUR", str(uuid4()))
        await receipts.record(self.services.database, entry, at=self.at, by="anna")

    async def rule(self, document: Mapping[str, Any], **changes: Any) -> int:
        """Add a rule; return its id."""
        rule = read_rule({**document, **changes})
        start = rule.start_date or first_start(
            rule.interval, rule.weekday, rule.hour, self.zone, self.at
        )
        async with self.services.database.transaction() as session:
            await rules.add(session, rule, start=start, at=self.at, by="admin")
            return (await rules.get(session, rule.name)).id

    async def decides(self, name: str, number: str = "D-1", by: str = "anna", **more: str) -> None:
        """Decide about what waits for an approval, as the API does; the case hears of it."""
        await self.stores(name, number, by, **more)
        await self.look(case_id_of(number))

    async def stores(self, name: str, number: str = "D-1", by: str = "anna", **more: str) -> None:
        """Store a decision, and tell nobody yet."""
        decision = Decision(name=name, by=by, reason="because", fields=more)
        async with self.services.database.transaction() as session:
            await decisions.store(session, case_id_of(number), decision, self.at)

    async def decides_in_temporal(self, name: str, number: str = "D-1", by: str = "olga") -> None:
        """Decide as an operator does in the Web UI."""
        request = DecisionRequest(
            case_id=case_id_of(number), name=name, command=Command(id=name, by=by), at=self.at
        )
        await self.do("take_dunning_decision", request)
        await self.look(case_id_of(number))

    # Time ----------------------------------------------------------------------------------------

    def local(self, day: date, hour: int = 9, minute: int = 0) -> datetime:
        """Return the instant of a local time."""
        return datetime.combine(day, time(hour, minute), self.zone)

    async def until(self, day: date, hour: int = 9, minute: int = 0) -> None:
        """Let time pass up to and with a local time; rules run and timers fire on their way."""
        end = self.local(day, hour, minute)
        while True:
            slot = await self._next_slot(end)
            wakes = [p.wake_at for p in self.plans.values() if p.wake_at and p.wake_at > self.at]
            wake = min(wakes, default=None)
            if wake and wake <= end and (slot is None or wake < slot):
                self.at = wake
                due = [k for k, p in self.plans.items() if p.wake_at and p.wake_at <= self.at]
                for case_id in due:
                    await self.look(case_id)
            elif slot is not None:
                self.at = slot
                await self.slot()
            else:
                self.at = end
                return

    async def _next_slot(self, end: datetime) -> datetime | None:
        async with self.services.database.transaction() as session:
            known = await rules.list_all(session)
        coming = (next(runs_after(r.timetable, self.zone, self.at)).at for r in known)
        found = min((at for at in coming if at <= end), default=None)
        return found.astimezone(self.zone) if found else None

    async def slot(self) -> None:
        """Run the rules that are due now, in their order, as a slot's workflow does."""
        slot = self.at.astimezone(self.zone).replace(tzinfo=None)
        async with self.services.database.transaction() as session:
            known = await rules.list_all(session)
        for stored in known:
            if stored.timetable.slot_at(self.at, self.zone) == slot and not stored.paused:
                await self.run(stored, slot)

    async def run_now(self, name: str) -> Selected:
        """Run a rule as somebody asks for it, and let its cases work."""
        async with self.services.database.transaction() as session:
            stored = await rules.get(session, name)
        return await self.run(stored, None)

    async def run(self, stored: StoredRule, slot: datetime | None) -> Selected:
        """Run a rule to its end and let its cases work."""
        run = await self.hand_over(stored, slot)
        while self.ears.told:
            await self.look(self.ears.told.pop(0))
        return run

    async def hand_over(self, stored: StoredRule, slot: datetime | None) -> Selected:
        """Run a rule to its end, as a cycle's workflow does; its cases are told, no more."""
        key = f"dunning-run-{stored.id}-{slot:%Y-%m-%dT%H:%M}" if slot else f"now-{uuid4()}"
        start = RunStart(rule_id=stored.id, slot=slot)
        run = await self.do("select_customers", SelectRequest(key=key, start=start, at=self.at))
        whole = RunRequest(run_id=run.run_id, key=key, at=self.at)
        if run.action is Action.MARK_PROBLEMATIC:
            await self.do("mark_customers", whole)
        after, last = run.after, run.taken == run.handed_over
        while not last:
            page = await self.do(
                "hand_over", PageRequest(run_id=run.run_id, after=after, at=self.at)
            )
            after, last = page.after, page.last
        await self.do("finish_run", whole)
        return cast("Selected", run)

    # The cases -----------------------------------------------------------------------------------

    async def hear(self) -> None:
        """Tell the cases what the database has written down for them."""
        query = """update outbox set delivered_at = now() where delivered_at is null
                   and case_id like 'dunning-%' returning case_id"""
        for case_id in sorted({case_id for (case_id,) in await self.rows(query)}):
            await self.look(case_id)

    async def look(self, case_id: str) -> DunningProgress:
        """Let a case go from plan to plan until it waits or ends, as its workflow does."""
        return await self.go(case_id, await self.do("look_at_dunning", self.request(case_id)))

    async def go(self, case_id: str, progress: DunningProgress) -> DunningProgress:
        """Go on from a plan until the case waits or ends."""
        for _ in range(20):
            self.plans[case_id] = progress
            if progress.plan.step in {Step.WAIT, Step.END}:
                return progress
            progress = await self.step(case_id, progress)
        raise AssertionError(f"{case_id} goes in circles: {progress.plan}")

    async def step(self, case_id: str, progress: DunningProgress) -> DunningProgress:
        """Do what the plan says, once."""
        plan = progress.plan
        request = self.request(case_id, plan.step, plan.cause)
        return cast("DunningProgress", await self.do(plan.step, request))

    async def reaches(self, case_id: str, step: Step) -> DunningProgress:
        """Let a case go on until that step is next."""
        progress = await self.do("look_at_dunning", self.request(case_id))
        while progress.plan.step is not step:
            assert progress.plan.step not in {Step.WAIT, Step.END}, progress.plan
            progress = await self.step(case_id, progress)
        return cast("DunningProgress", progress)

    def request(self, case_id: str, step: str = "look", cause: str = "news") -> StepRequest:
        """Return the request that the workflow would make."""
        return StepRequest(
            key=f"{case_id}:{step}:{cause}", case_id=case_id, cause=cause, at=self.at
        )

    async def do(self, name: str, request: object) -> Any:
        """Run an activity as a worker does."""
        all_of_them = [
            *dunning_activities_of(self.services),
            *run_activities_of(self.services),
        ]
        known = {one.__name__: one for one in all_of_them}
        environment = ActivityEnvironment(client=cast("Client", self.ears))
        return await environment.run(known[name], request)

    # What is seen --------------------------------------------------------------------------------

    async def rows(self, query: str, **values: Any) -> list[Any]:
        """Read rows of the database."""
        async with self.services.database.transaction() as session:
            return [tuple(found) for found in await session.execute(text(query), values)]

    async def story(self, number: str = "D-1") -> list[str]:
        """Return what happened to a customer: a local day and a few words for each step."""
        found = await self.rows(_STORY, number=number, case=PREFIX + number, zone=self.zone.key)
        return [line for (line,) in found]

    async def ladder(self, number: str = "D-1") -> tuple[int, int, int] | None:
        """Return level, notices and calls of the current ladder; None if there is none."""
        query = """select k.level, k.notices_count, k.calls_count from dunning_case k
                   join customer c on c.id = k.customer_id
                   where c.customer_no = :number and k.ended_at is null"""
        found = await self.rows(query, number=number)
        return found[0] if found else None

    def letters(self) -> list[str]:
        """Return the references of the letters in the spool, in order."""
        assert self.services.settings.letter_spool_dir
        manifest = self.services.settings.letter_spool_dir / "manifest.jsonl"
        if not manifest.exists():
            return []
        return [json.loads(line)["reference"] for line in manifest.read_text().splitlines()]

    async def all_is_well(self) -> None:
        """Check everything that must always hold, and what holds where nothing is under way."""
        settings = self.services.settings
        await check(
            self.services.database,
            mailbox=settings.mailbox_dir,
            spool=settings.letter_spool_dir,
            today=self.at.astimezone(self.zone).date(),
        )


_STORY = """
select day || ' ' || what from (
  select sent_at as at, to_char(sent_at at time zone :zone, 'YYYY-MM-DD HH24:MI') as day,
         template || ' ' || level || ' by ' || channel || ': ' || rendered_amount::numeric(12, 2)
         as what
  from dunning_notice n join customer c on c.id = n.customer_id
  where c.customer_no = :number and n.status = 'sent'
  union all
  select created_at, to_char(created_at at time zone :zone, 'YYYY-MM-DD HH24:MI'), kind
  from task where case_id = :case
  union all
  select at, to_char(at at time zone :zone, 'YYYY-MM-DD HH24:MI'), event
  from history where case_id = :case
    and event in ('notice_dropped', 'dunning_ended', 'claim_dropped')
) s order by at
"""
