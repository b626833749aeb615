"""A debtor with open items on a day of the tests' own, and what can happen to it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.dunning.filters import LARGEST
from domain.dunning.rule_file import read_rule
from models.store import customers, tasks
from models.store.database import Database
from models.store.dunning import selection
from starter import receipts
from starter.open_item_import import import_open_items
from starter.payment_checks import Entry
from tests.api.open_items import csv_file, row
from tests.domain.dunning.rules import O1, condition

TODAY = date(2026, 3, 30)
AT = datetime(2026, 3, 30, 10, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Debtor:
    """The customer D-1 with imported open items."""

    database: Database
    company: Company
    id: int

    async def pays(self, invoice_no: str, amount: str, reference: str) -> None:
        """Let money for an invoice arrive."""
        entry = Entry(invoice_no, amount, "EUR", reference, str(TODAY))
        await receipts.record(self.database, entry, at=AT, by="anna")

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read something."""
        async with self.database.transaction() as session:
            return [tuple(row) for row in (await session.execute(text(query))).all()]

    async def value(self, field: str, *, today: date = TODAY) -> int | None:
        """Return what a filter of a rule sees; None where there is no such value (X5)."""
        rule = {**O1, "action": "mark_problematic", "filters": [condition(field, "<", LARGEST)]}
        rule.pop("template")
        async with self.database.transaction() as session:
            found = await selection.preview(
                session, read_rule(rule), rule_id=0, today=today, currency="EUR"
            )
        return found[0]["matched"][field] if found else None


async def debtor(
    database: Database, company: Company, items: Sequence[tuple[str, str, str]]
) -> Debtor:
    """Make the debtor with items of number, due date and amount."""
    file = csv_file(
        *(
            row(invoice_no=number, due_date=due, amount=amount, invoice_date="2026-01-02")
            for number, due, amount in items
        )
    )
    await import_open_items(database, io.BytesIO(file), sha256="x", at=AT, by="anna")
    async with database.transaction() as session:
        found = await customers.get(session, "D-1")
    return Debtor(database, company, found.id or 0)


async def call_task(session: AsyncSession, key: str = "call-1") -> int:
    """Put a task to call the debtor into the list, as a rule does."""
    created = await tasks.create(
        session,
        key=key,
        kind="dunning_call",
        title="Call",
        description="",
        assignee="anna",
        due=TODAY,
        case_id="dunning-D-1",
        at=AT,
        context={"key": key},
    )
    return created or 0
