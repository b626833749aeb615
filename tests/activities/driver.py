"""Runs a case's steps directly, without Temporal: what an activity does, seen by itself.

Its services bring nothing along, unless a test wants it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.failpoints import Points
from activities.services import Services
from connectors.mail import SmtpMailer
from connectors.shops import SHOPS
from connectors.shops.port import OrderEvent, parse_document
from domain.order_case import Step
from models.messages import Message, Progress, StepRequest
from models.store import cases, company, intake, payments
from models.store.payments import Receipt
from tests.crm_server import Crm, connect
from worker import (
    activities_of,
    dunning_activities_of,
    interceptors_of,
    run_activities_of,
)
from workflows.policies import POLICIES, SILENCE

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "orders"
# One reads, the other keeps Schedules (tests/workflows/test_schedules.py).
_WITHOUT_EFFECT = {"due_rules", "call_rule"}
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass
class Driver:
    """One database, mailbox and CRM; ``at`` is the workflow's time.

    ``mailbox`` is where the mails arrive, also where the product cannot look into it.
    """

    services: Services
    at: datetime = NOW
    crm: Crm = field(default_factory=Crm)
    mailbox: Path | None = None

    def ask_nobody(self) -> None:
        """From now on the mail server is one that cannot be asked what it has taken."""
        own = self.services.settings.model_copy(update={"mailbox_dir": None})
        self.services = replace(self.services, settings=own, mailer=SmtpMailer(own))

    async def connect_crm(self) -> None:
        """Make the channel of the driver's orders a connection to its CRM."""
        await connect(self.services.database, self.services.settings, "zahltag", self.crm)

    async def submit(self, sample: str, **changes: Any) -> str:
        """Take a sample order in; return its case id."""
        async with self.services.database.transaction() as session:
            return (await self.takes_in(session, sample, **changes))[0]

    async def takes_in(
        self, session: AsyncSession, sample: str, **changes: Any
    ) -> tuple[str, intake.Outcome]:
        """Take a sample order in, in somebody's transaction; return what became of it."""
        document = json.loads((SAMPLES / f"{sample}.json").read_text()) | changes
        body = json.dumps(document).encode()
        event = SHOPS[sample.split("-", maxsplit=1)[0]].read(
            parse_document(body), channel="zahltag"
        )
        assert isinstance(event, OrderEvent)
        arrival = intake.Arrival("zahltag", str(uuid.uuid4()), "order", body, self.at, "tests")
        firm = await company.get(session)
        return await intake.accept_order(session, event.order, arrival, firm, strict=False)

    async def pay(self, case_id: str, amount: str, reference: str = "ref") -> int:
        """Book a payment for the case; return its id."""
        async with self.services.database.transaction() as session:
            file, _ = await cases.get(session, case_id)
            receipt = Receipt(
                provider="bank",
                transaction_id=reference,
                amount=Decimal(amount),
                currency="EUR",
                valid_on=self.at.date(),
                source="tests",
                case_id=case_id,
                customer_id=file.customer_id,
            )
            payment, _ = await payments.receive(session, receipt, self.at, by="tests")
            return payment.id or 0

    async def look(self, case_id: str) -> Progress:
        """Return where the case stands."""
        async with self.services.database.transaction() as session:
            return await cases.look(session, case_id, self.at)

    async def until(self, case_id: str, step: Step) -> Progress:
        """Run the case's steps until that one is next."""
        for _ in range(20):
            progress = await self.look(case_id)
            if progress.plan.step is step:
                return progress
            assert progress.plan.step not in {Step.WAIT, Step.END}, progress.plan
            await self.run(case_id, progress)
        raise AssertionError(f"{step} never came")

    async def run(self, case_id: str, progress: Progress) -> Progress:
        """Run the planned step once."""
        return await self.activity(progress.plan.step)(self.request(case_id, progress))

    def request(self, case_id: str, progress: Progress) -> StepRequest:
        """Return the request that the workflow would make for the plan."""
        return StepRequest.of(case_id, progress.plan, self.at)

    def activity(self, step: Step) -> Callable[[StepRequest], Awaitable[Progress]]:
        """Return the activity of a step."""
        found: Callable[[StepRequest], Awaitable[Progress]] = every_activity(self.services)[step]
        return found

    async def attempt(self, occasion: Occasion) -> Any:
        """Run an activity once, with what a worker puts around it."""
        return await run_surrounded(self.services, Points(), occasion)

    def later(self, days: int) -> None:
        """Move the workflow's time on."""
        self.at += timedelta(days=days)


class _Effect(ActivityInboundInterceptor):
    """The innermost link of a worker's chain: the activity itself."""

    def __init__(self) -> None:
        """There is no next."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        """Run it."""
        return await input.fn(*input.args)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the workflow would ask for next: which activity, and with which request.

    ``together``: it brings about what follows, too. ``number``: the how manieth of its workflow.
    """

    activity: str
    request: Message
    together: bool = False
    number: int = 1


def every_activity(services: Services) -> dict[str, Callable[..., Awaitable[Any]]]:
    """Return every activity that has an effect in our database, by its name."""
    known = [
        *activities_of(services),
        *dunning_activities_of(services),
        *run_activities_of(services),
    ]
    named = {activity.__name__: activity for activity in known}
    return {name: activity for name, activity in named.items() if name not in _WITHOUT_EFFECT}


class _Ears:
    """Temporal's client, as far as a hand-over needs one: it hears whose case is told."""

    async def start_workflow(self, *_: object, **__: object) -> None:
        """Hear it."""


async def run_surrounded(services: Services, points: Points, occasion: Occasion) -> Any:
    """Run an activity with everything that a worker puts around it."""
    services = replace(services, together=occasion.together)
    chain: ActivityInboundInterceptor = _Effect()
    for interceptor in reversed(interceptors_of(services, points)):
        chain = interceptor.intercept_activity(chain)
    name = occasion.activity
    local = POLICIES[name].local
    environment = ActivityEnvironment(client=cast("Client", _Ears()))
    environment.info = replace(
        environment.info,
        activity_type=name,
        activity_id=f"{occasion.number}",
        is_local=local,
        heartbeat_timeout=None if local else SILENCE,
    )
    known = every_activity(services)
    return await environment.run(
        chain.execute_activity, ExecuteActivityInput(known[name], [occasion.request], None, {})
    )
