"""Check an order and its customer before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.services import Services
from domain.company import Company
from domain.errors import Problem
from domain.holds import approval_reason
from domain.invoicing import total_problems
from domain.order import Order
from domain.risk import risk_signals, special_instructions
from domain.routing import approval_wanted, why
from domain.validation import order_problems
from models.codec import Json, load_order
from models.messages import Progress, StepRequest
from models.store import cases, company, customers, deals, history, routing, tasks
from models.store.effects import once
from models.tables import CaseFile, SalesOrder

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

            async def check() -> Json:
                return await _check(session, request)

            await once(session, request, check)
            return await cases.refresh(session, request.case_id, request.at)


async def _check(session: AsyncSession, request: StepRequest) -> Json:
    query = select(SalesOrder).where(SalesOrder.case_id == request.case_id)
    known = (await session.exec(query)).one().customer_id
    if known is not None:
        await customers.lock(session, known)
    row = (await session.exec(query.with_for_update())).one()
    order = load_order(row.content)
    firm = await company.get(session)
    problems = (
        *order_problems(order, firm),
        *total_problems(order),
        *await _duplicates(session, row),
    )
    open_problems = tuple(p for p in problems if p.kind not in row.accepted)
    await tasks.raise_problems(session, request.case_id, open_problems, request.at)
    row.checked_revision = row.revision
    routed = await routing.decide(session, order)
    row.routed = routing.dump(routed)
    if order.source == "crm":
        await _ask_to_complete(session, row, firm, open_problems, request.at)
    if open_problems:
        return {"problems": len(open_problems)}
    customer = await customers.recognise(session, order, request.at)
    row.customer_id = customer.id
    row.hold_reason = approval_reason(order, firm) or approval_wanted(routed)
    file = (await session.exec(select(CaseFile).where(CaseFile.id == request.case_id))).one()
    file.customer_id = customer.id
    text = f"Order checked: complete, customer {customer.customer_no}{_remarks(order)}"
    history.note(session, request.case_id, request.at, "order_checked", text)
    if reason := why(routed):
        text = f"{reason[0].upper()}{reason[1:]}"
        history.note(session, request.case_id, request.at, "order_routed", text)
    return {"customer_no": customer.customer_no}


async def _ask_to_complete(
    session: AsyncSession,
    row: SalesOrder,
    firm: Company,
    problems: tuple[Problem, ...],
    at: datetime,
) -> None:
    """Have whoever looks after the deal complete it; what a CRM lacks is a task, not silence."""
    await session.flush()
    who = await deals.who_looks_after(session, row.case_id, firm, "order desk")
    await deals.ask_to_complete(session, row, problems, who=who, at=at)


def _remarks(order: Order) -> str:
    """Say what a person who handles the order should know: the buyer's wishes, signals of risk."""
    wishes = ", ".join(wish.replace("_", " ") for wish in special_instructions(order.note))
    signals = "; ".join(risk_signals(order))
    return (f"; the buyer's note asks for: {wishes}" if wishes else "") + (
        f"; signals of risk: {signals}" if signals else ""
    )


async def _duplicates(session: AsyncSession, row: SalesOrder) -> tuple[Problem, ...]:
    """Find an earlier order of the same customer, positions and total within ten minutes (A7)."""
    query = (
        select(SalesOrder.order_no, SalesOrder.channel)
        .where(
            SalesOrder.fingerprint == row.fingerprint,
            col(SalesOrder.id) < row.id,
            col(SalesOrder.placed_at).between(
                row.placed_at - DUPLICATE_WINDOW, row.placed_at + DUPLICATE_WINDOW
            ),
        )
        .order_by(col(SalesOrder.id))
    )
    earlier = (await session.exec(query)).first()
    if earlier is None:
        return ()
    number, channel = earlier
    return (
        Problem(
            field="order_no",
            expected="an order that was not given twice within ten minutes"
            " (go on with accept.duplicate_order=yes)",
            found=f"the same customer, positions and total as order {number} of {channel}",
            kind="duplicate_order",
        ),
    )
