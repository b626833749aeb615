"""A customer in arrears for the driver: what is owed, which rule takes it, what its case does."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

from sqlalchemy import text

from connectors.payments import PaymentEventType, PaymentNotice
from domain.dunning.case import Step
from domain.dunning.rule_file import read_rule
from models.messages import DunningProgress, StepRequest
from models.store import payments
from models.store.dunning import cases, opening, rules, selection
from models.store.dunning.selection import RunRequest
from models.store.dunning.telling import customer_no_of
from models.store.intake import Arrival
from models.store.payments import Receipt
from starter.open_item_import import import_open_items
from starter.receipts import take_notice
from tests.activities.driver import Driver, Occasion
from tests.api.open_items import csv_file, row

NAME = "Alt & Söhne GmbH"
IBAN = "DE02120300000000202051"
REFUSED = "nobody@refused.example"

REMINDER: dict[str, Any] = {
    "name": "Zahlungserinnerung",
    "interval": "daily",
    "hour": 3,
    "action": "email_or_letter",
    "approval_required": False,
    "filters": [{"field": "oldest_overdue_days", "operator": ">", "value": 6}],
}


@dataclass(frozen=True, slots=True)
class Debtor:
    """The customer D-1 of a driver, and its dunning case."""

    driver: Driver
    case_id: str = "dunning-D-1"

    async def owes(self, *, days: int = 10, **changes: Any) -> None:
        """Import an open item of 119.00 EUR that has been overdue for some days."""
        due = self.driver.at.date() - timedelta(days=days)
        issued = due - timedelta(days=14)
        own = {"invoice_date": issued.isoformat(), "due_date": due.isoformat(), **changes}
        content = csv_file(row(**own))
        await import_open_items(
            self.driver.services.database,
            BytesIO(content),
            sha256=hashlib.sha256(content).hexdigest(),
            at=self.driver.at,
            by="tests",
        )

    async def taken(self, document: Mapping[str, Any] = REMINDER, **changes: Any) -> None:
        """Let a rule's run take the customer."""
        at, day = self.driver.at, self.driver.at.date()
        async with self.driver.services.database.transaction() as session:
            rule = read_rule({**document, **changes})
            await rules.add(session, rule, start=day, at=at, by="admin")
            stored = await rules.get(session, rule.name)
            request = RunRequest(f"tests-{uuid.uuid4()}", None, day, at)
            found = await selection.run(session, stored, request, currency="EUR")
            page = await selection.page(session, found.run_id)
            await opening.open_cases(session, [taken["customer_id"] for taken in page], at)
        assert [taken["customer_no"] for taken in page] == [customer_no_of(self.case_id)]

    async def pays(self, amount: str, *, payer_iban: str = "") -> None:
        """Let money for the imported invoice come in."""
        notice = PaymentNotice(
            event_id=str(uuid.uuid4()),
            type=PaymentEventType.RECEIVED,
            provider="bank",
            transaction_id=str(uuid.uuid4()),
            amount=Decimal(amount),
            currency="EUR",
            valid_on=self.driver.at.date(),
            invoice_no="ALT-1",
            payer_iban=payer_iban,
        )
        arrival = Arrival("bank", notice.event_id, "payment", b"{}", self.driver.at, "tests")
        await take_notice(self.driver.services.database, notice, arrival)

    async def sends_money(self, **words: str) -> int:
        """Let money come in that names no invoice; return the payment's id."""
        receipt = Receipt(
            provider="bank",
            transaction_id=str(uuid.uuid4()),
            amount=Decimal(words.pop("amount", "50.00")),
            currency="EUR",
            valid_on=self.driver.at.date(),
            source="webhook",
            **{"payer_name": NAME, **words},  # type: ignore[arg-type]
        )
        async with self.driver.services.database.transaction() as session:
            payment, _ = await payments.receive(session, receipt, self.driver.at, by="tests")
            return payment.id or 0

    async def look(self) -> DunningProgress:
        """Return where the case stands."""
        number = customer_no_of(self.case_id)
        async with self.driver.services.database.transaction() as session:
            return await cases.look(session, self.case_id, number, self.driver.at)

    async def until(self, step: Step) -> Occasion:
        """Run the case's steps until that one is next; return it."""
        for _ in range(10):
            plan = (await self.look()).plan
            if plan.step is step:
                return self.occasion(step, plan.cause)
            assert plan.step not in {Step.WAIT, Step.END}, plan
            await self.driver.attempt(self.occasion(plan.step, plan.cause))
        raise AssertionError(f"{step} never came")

    def occasion(self, name: str, cause: str, *, failure: str = "") -> Occasion:
        """Return what the workflow would ask for."""
        key = f"{self.case_id}:{name}:{cause}"
        request = StepRequest(
            key=key, case_id=self.case_id, cause=cause, at=self.driver.at, failure=failure
        )
        return Occasion(str(name), request)

    async def value(self, query: str) -> Any:
        """Read one value."""
        async with self.driver.services.database.transaction() as session:
            return (await session.execute(text(query))).scalars().one()

    async def told(self) -> int:
        """Return how often people's doings have told the case to look again."""
        query = "select count(*) from outbox where payload ->> 'outbox_id' like 'task-%'"
        return int(await self.value(query))
