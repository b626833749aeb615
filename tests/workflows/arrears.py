"""Customers in arrears for the tests of dunning cases, and the runs of rules that take them."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import col, select

from domain.dunning.case import Status
from domain.dunning.rule_file import read_rule
from models.dunning_start import start_dunning_case
from models.dunning_tables import DunningNotice
from models.messages import LookAgain
from models.store import customers, outbox
from models.store.decisions import Decision
from models.store.dunning import debtors, decisions, opening, rules, selection
from models.store.dunning.selection import RunRequest
from models.store.dunning.telling import case_id_of
from models.tables import CaseFile, Outbox
from starter import open_item_import
from starter.commands import SIGNALS
from starter.payment_checks import Entry
from starter.receipts import record
from tests.api.open_items import csv_file, row
from tests.workflows.house import House, eventually, now

TODAY = now().date()

REMINDER: dict[str, Any] = {
    "name": "Zahlungserinnerung",
    "interval": "daily",
    "hour": 3,
    "action": "email_or_letter",
    "approval_required": False,
    "filters": [{"field": "oldest_overdue_days", "operator": ">", "value": 6}],
}


@dataclass
class Arrears:
    """What a test of dunning says to the product, and what it sees of it."""

    house: House
    # The tests share a Temporal server: every one has customers of its own.
    who: str = field(default_factory=lambda: f"D{uuid.uuid4().hex[:8]}")

    async def owes(self, customer_no: str, *, days: int = 10, **changes: Any) -> None:
        """Import an open item that has been overdue for some days."""
        due = TODAY - timedelta(days=days)
        line = row(
            customer_no=customer_no,
            **{
                "email": f"{customer_no.lower()}@schuldner.example",
                "invoice_no": f"ALT-{customer_no}",
                "invoice_date": (due - timedelta(days=14)).isoformat(),
                "due_date": due.isoformat(),
                **changes,
            },
        )
        content = csv_file(line)
        await open_item_import.import_open_items(
            self.house.database,
            BytesIO(content),
            sha256=hashlib.sha256(content).hexdigest(),
            at=now(),
            by="tests",
        )

    async def rule(self, document: Mapping[str, Any] = REMINDER, **changes: Any) -> str:
        """Add a rule; return its name."""
        rule = read_rule({**document, **changes})
        async with self.house.database.transaction() as session:
            await rules.add(session, rule, start=TODAY, at=now(), by="admin")
        return rule.name

    async def pauses(self, name: str, *, paused: bool = True) -> None:
        """Pause a rule, or resume it."""
        async with self.house.database.transaction() as session:
            await rules.set_paused(session, name, paused=paused, at=now(), by="admin")
        self.house.wake.set()

    async def run(self, name: str, at: datetime | None = None) -> list[str]:
        """Let a rule's run take its customers and hand them over; return their numbers."""
        at = at or now()
        day = at.astimezone(ZoneInfo(self.house.company.time_zone)).date()
        async with self.house.database.transaction() as session:
            stored = await rules.get(session, name)
            request = RunRequest(f"tests-{uuid.uuid4()}", None, day, at)
            found = await selection.run(session, stored, request, currency="EUR")
            page = await selection.page(session, found.run_id)
            await opening.open_cases(session, [r["customer_id"] for r in page], at)
        for taken in page:
            await start_dunning_case(
                self.house.client,
                taken["customer_no"],
                task_queue=self.house.settings.task_queue,
                signal=("look_again", LookAgain(outbox_id=f"run-{found.run_id}")),
            )
        return [taken["customer_no"] for taken in page]

    async def pays(self, customer_no: str, amount: str, reference: str = "") -> None:
        """Record a payment for the customer's imported invoice."""
        entry = Entry(f"ALT-{customer_no}", amount, "EUR", reference or str(uuid.uuid4()))
        await record(self.house.database, entry, at=now(), by="anna")
        self.house.wake.set()

    async def decides(self, customer_no: str, name: str, by: str = "anna", **fields: str) -> None:
        """Decide about what waits for an approval, as the API does."""
        case_id = case_id_of(customer_no)
        async with self.house.database.transaction() as session:
            decision = Decision(name=name, by=by, reason="because", fields=fields)
            await decisions.store(session, case_id, decision, now())
            await outbox.tell(
                session, case_id, SIGNALS[name], now(), id=str(uuid.uuid4()), stored=True
            )
        self.house.wake.set()

    async def notices(self, customer_no: str) -> list[DunningNotice]:
        """Return the customer's notices."""
        async with self.house.database.transaction() as session:
            customer = await customers.get(session, customer_no)
            query = select(DunningNotice).where(DunningNotice.customer_id == customer.id)
            return list(await session.exec(query.order_by(col(DunningNotice.id))))

    async def sees(self, customer_no: str, *statuses: str) -> list[DunningNotice]:
        """Wait until the customer's notices have these statuses."""

        async def seen() -> list[DunningNotice] | None:
            found = await self.notices(customer_no)
            return found if [notice.status for notice in found] == [*statuses] else None

        return await eventually(seen)

    async def ladder(self, customer_no: str) -> tuple[int, int]:
        """Return level and number of notices of the current dunning case."""
        async with self.house.database.transaction() as session:
            found = await debtors.standings(session, TODAY, customer_no)
        (row,) = found.values()
        return row["level"], row["notices_count"]

    def letters(self) -> list[dict[str, Any]]:
        """Return the manifest of the print spool."""
        folder = self.house.settings.letter_spool_dir
        assert folder
        path = folder / "manifest.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    async def rests(self, customer_no: str, status: Status) -> CaseFile:
        """Wait until the dunning case has that status and rests in it."""
        case_id = case_id_of(customer_no)

        async def settled() -> CaseFile | None:
            file = await self.house.case(case_id)
            # A case that is about to ask is on hold already.
            asks = file.next_step.startswith("ask a person")
            rests = file.waiting_for != "nothing" or (status is Status.ON_HOLD and not asks)
            same = file.status == status and rests and await self._idle(case_id)
            return file if same and await self.house.knows(file) else None

        try:
            return await eventually(settled)
        except TimeoutError:
            file = await self.house.case(case_id)
            lines = [f"{h.event}: {h.text}" for h in await self.house.history(case_id)]
            raise AssertionError(f"{file.status} ({file.why}), not {status}\n{lines}") from None

    async def _idle(self, case_id: str) -> bool:
        """Tell whether nothing is on its way to the case: what it says now, it goes on saying."""
        async with self.house.database.transaction() as session:
            waiting = await session.exec(
                select(Outbox.id).where(
                    Outbox.case_id == case_id, col(Outbox.delivered_at).is_(None)
                )
            )
            return waiting.first() is None
