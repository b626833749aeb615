"""A whole house for a test: database, mailbox, worker and dispatcher on a shared Temporal server."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHandle

from connectors.mailbox import list_mails
from connectors.shops import SHOPS
from connectors.shops.port import OrderEvent, parse_document
from domain.company import Company
from models.messages import Progress
from models.settings import Settings
from models.store import cases, decisions, history, intake, invoices, outbox, payments, tasks
from models.store.database import Database
from models.store.decisions import Decision
from models.store.payments import Receipt
from models.tables import CaseException, CaseFile, History, Payment, Task
from starter.commands import SIGNALS
from starter.dispatcher import Dispatcher
from tests.faults.proxy import Proxy

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "orders"
T = TypeVar("T")


@dataclass
class House:
    """What a test says to the product, and what it sees of it."""

    database: Database
    settings: Settings
    company: Company
    client: Client
    dispatcher: Dispatcher
    wake: asyncio.Event
    channel: str
    refuses: set[str]
    away: asyncio.Event
    post: Proxy

    async def submit(self, sample: str, **changes: Any) -> str:
        """Take a sample order in (fields of the document changed); return its case id."""
        document = json.loads((SAMPLES / f"{sample}.json").read_text()) | changes
        body = json.dumps(document).encode()
        event = SHOPS[sample.split("-", maxsplit=1)[0]].read(
            parse_document(body), channel=self.channel
        )
        assert isinstance(event, OrderEvent)
        arrival = intake.Arrival(
            self.channel, f"event-{uuid.uuid4()}", "order", body, now(), "tests"
        )
        async with self.database.transaction() as session:
            case_id, _ = await intake.accept_order(
                session, event.order, arrival, self.company, strict=False
            )
        self.wake.set()
        return case_id

    async def pay(
        self, case_id: str, amount: str, reference: str = "", *, currency: str = "EUR"
    ) -> int:
        """Book a payment for a case; return its id."""
        async with self.database.transaction() as session:
            file, _ = await cases.get(session, case_id)
            receipt = Receipt(
                provider="bank",
                transaction_id=reference or str(uuid.uuid4()),
                amount=Decimal(amount),
                currency=currency,
                valid_on=now().date(),
                source="tests",
                invoice_no=file.invoice_no or "",
                case_id=case_id,
                customer_id=file.customer_id,
            )
            payment, _ = await payments.receive(session, receipt, now(), by="tests")
        self.wake.set()
        return payment.id or 0

    async def decide(
        self, case_id: str, name: str, *, by: str = "anna", reason: str = "", **fields: str
    ) -> None:
        """Store a person's decision and tell the case, as the API does."""
        async with self.database.transaction() as session:
            decision = Decision(name=name, by=by, reason=reason, fields=fields)
            await decisions.store(session, case_id, decision, now())
            await outbox.tell(
                session, case_id, SIGNALS[name], now(), id=str(uuid.uuid4()), stored=True
            )
        self.wake.set()

    def workflow(self, case_id: str) -> WorkflowHandle[Any, Any]:
        """Return the handle of the case's workflow."""
        return self.client.get_workflow_handle(case_id)

    async def progress(self, case_id: str) -> Progress:
        """Ask the workflow itself where it stands."""
        return await self.workflow(case_id).query("progress", result_type=Progress)

    async def knows(self, file: CaseFile) -> bool:
        """Whether the case's workflow has heard of what stands in its file; a closed one has."""
        if file.closed_at is not None:
            return True
        told = await self.workflow(file.id).query("progress")
        return told is not None and told["plan"]["status"] == file.status

    async def case(self, case_id: str) -> CaseFile:
        """Return the case's projection."""
        async with self.database.transaction() as session:
            return (await cases.get(session, case_id))[0]

    async def reaches(self, case_id: str, status: str) -> CaseFile:
        """Wait until the case has that status and its workflow rests in it."""

        async def settled() -> CaseFile | None:
            file = await self.case(case_id)
            rests = file.status == status and _rests(file)
            return file if rests and await self.knows(file) else None

        try:
            return await eventually(settled)
        except TimeoutError:
            file = await self.case(case_id)
            lines = [f"{h.event}: {h.text}" for h in await self.history(case_id)]
            raise AssertionError(f"{file.status} ({file.why}), not {status}\n{lines}") from None

    async def ends(self, case_id: str) -> str:
        """Wait until the case's workflow has ended; return its result."""

        async def started() -> bool | None:
            return (await self.case(case_id)).closed_at is not None or None

        await eventually(started)
        return str(await asyncio.wait_for(self.workflow(case_id).result(), 30))

    async def mails(self, case_id: str) -> list[str]:
        """Return the kinds of the mails that arrived for the case, in order."""
        assert self.settings.mailbox_dir
        found = list_mails(self.settings.mailbox_dir)
        return [mail.kind for mail in found if mail.case_id == case_id]

    async def tasks(self, case_id: str) -> list[Task]:
        """Return the case's tasks."""
        async with self.database.transaction() as session:
            return [t for t in await tasks.list_tasks(session) if t.case_id == case_id]

    async def problems(self, case_id: str) -> list[CaseException]:
        """Return the case's open exceptions."""
        async with self.database.transaction() as session:
            return await tasks.exceptions_of(session, case_id)

    async def history(self, case_id: str) -> list[History]:
        """Return the case's history."""
        async with self.database.transaction() as session:
            return await history.of_case(session, case_id)

    async def payments(self, case_id: str) -> list[Payment]:
        """Return the case's payments."""
        async with self.database.transaction() as session:
            return [p for p in await payments.list_all(session) if p.case_id == case_id]

    async def open_amount(self, case_id: str) -> Decimal:
        """Return what is still owed on the case's invoice."""
        async with self.database.transaction() as session:
            invoice = await invoices.of_case(session, case_id)
            return (await invoices.open_item(session, invoice.id or 0)).open_amount

    async def order_again(self, sample: str, *, payment: dict[str, Any], later: str) -> str:
        """Let the shop send the order again with another payment part, modified later."""
        return await self.submit(sample, payment=payment, modified_at=later)

    def with_channel(self, channel: str) -> House:
        """Return the same house, ordering through another channel."""
        return replace(self, channel=channel)


def now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


def _rests(file: CaseFile) -> bool:
    return file.waiting_for != "nothing" or file.closed_at is not None


async def eventually(probe: Callable[[], Awaitable[T | None]], seconds: float = 15) -> T:
    """Return the probe's first answer that is not None; TimeoutError after that time."""
    async with asyncio.timeout(seconds):
        while True:
            found = await probe()
            if found is not None:
                return found
            await asyncio.sleep(0.05)
