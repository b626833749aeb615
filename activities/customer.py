"""Check an order and its customer before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.services import Services
from domain.errors import Problem
from domain.holds import approval_reason
from domain.invoicing import total_problems
from domain.order import Order
from domain.risk import risk_signals, special_instructions
from domain.routing import approval_wanted, why
from domain.validation import order_problems
from models.codec import Json
from models.messages import Progress, StepRequest
from models.store import cases, customers, deals, history, orders, routing, tasks
from models.store.effects import once
from models.store.orders import ToCheck

DUPLICATE_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class CustomerActivities:
    """The activity ``validate_customer``."""

    services: Services

    @activity.defn(name="validate_customer")
    async def validate_customer(self, request: StepRequest) -> Progress:
        """Check the order as it stands now; every finding at once becomes an exception.

        Without findings the customer is recognised or gets a number, and it is decided whether a
        person has to approve the order. A person's correction makes a new revision to check.
        """
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)

            async def check() -> Json:
                return await _check(session, request)

            await once(session, request, check)
            return await cases.refresh(session, request.case_id, request.at)


async def _check(session: AsyncSession, request: StepRequest) -> Json:
    case_id = request.case_id
    found = await orders.to_check(session, case_id, DUPLICATE_WINDOW)
    order, firm = found.order, found.company
    problems = (*order_problems(order, firm), *total_problems(order), *_duplicate(found))
    open_problems = tuple(p for p in problems if p.kind not in found.accepted)
    if open_problems or found.has_problems:
        await tasks.raise_problems(session, case_id, open_problems, request.at)
    routed = routing.decide(found.rules, order)
    customer, hold = None, ""
    if not open_problems:
        customer = await customers.recognise(session, order, request.at)
        hold = approval_reason(order, firm) or approval_wanted(routed)
    await orders.mark_checked(session, case_id, customer, hold, routing.dump(routed))
    if order.source == "crm":
        # What a CRM lacks is a task for whoever looks after the deal, not silence.
        await deals.ask_to_complete(session, case_id, found, open_problems, request.at)
    if customer is None:
        return {}
    text = f"Order checked: complete, customer {customer.customer_no}{_remarks(order)}"
    history.note(session, case_id, request.at, "order_checked", text)
    if reason := why(routed):
        text = f"{reason[0].upper()}{reason[1:]}"
        history.note(session, case_id, request.at, "order_routed", text)
    return {}


def _remarks(order: Order) -> str:
    """Say what a person who handles the order should know: the buyer's wishes, signals of risk."""
    wishes = ", ".join(wish.replace("_", " ") for wish in special_instructions(order.note))
    signals = "; ".join(risk_signals(order))
    return (f"; the buyer's note asks for: {wishes}" if wishes else "") + (
        f"; signals of risk: {signals}" if signals else ""
    )


def _duplicate(found: ToCheck) -> tuple[Problem, ...]:
    """Refuse what looks like an order that was given twice (A7)."""
    if found.duplicate_of is None:
        return ()
    number, channel = found.duplicate_of
    return (
        Problem(
            field="order_no",
            expected="an order that was not given twice within ten minutes"
            " (go on with accept.duplicate_order=yes)",
            found=f"the same customer, positions and total as order {number} of {channel}",
            kind="duplicate_order",
        ),
    )
