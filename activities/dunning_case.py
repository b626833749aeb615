"""The steps of a dunning case, but for the sending itself: proposals, approvals, tasks, the end.

Each locks the customer and looks at the facts once more: what is no longer the plan is not done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities import failed_steps
from activities.dunning_answers import answer
from activities.services import Services
from domain.calendar import local_date
from domain.dunning.case import Step
from models.codec import Json
from models.messages import DecisionRequest, DunningProgress, StepRequest
from models.store import company, customers, history, tasks
from models.store.decisions import Decision
from models.store.dunning import (
    bounces,
    cases,
    decisions,
    ladders,
    notices,
    proposing,
    questions,
    sending,
)
from models.store.dunning.notices import Wish
from models.store.dunning.telling import customer_no_of
from models.store.effects import once
from models.tables import Customer

_ACCOUNTING = "accounting"
_SUBSTITUTE = "dunning substitute"
Effect = Callable[[AsyncSession, Customer, StepRequest], Awaitable[Json]]


@dataclass(frozen=True, slots=True)
class DunningCaseActivities:
    """One activity for each step of ``domain.dunning.case`` that touches our database only."""

    services: Services

    @activity.defn(name="look_at_dunning")
    async def look_at_dunning(self, request: StepRequest) -> DunningProgress:
        """Say where the case stands and what comes next."""
        async with self.services.database.transaction() as session:
            return await _refresh(session, request)

    @activity.defn(name="answer_claim")
    async def answer_claim(self, request: StepRequest) -> DunningProgress:
        """Do what a rule says for a customer whom its run took: propose, or create the task."""
        return await self._act(Step.ANSWER_CLAIM, request, answer)

    @activity.defn(name="answer_bounce")
    async def answer_bounce(self, request: StepRequest) -> DunningProgress:
        """Let a notice that did not arrive by mail be sent by letter, or ask a person."""
        return await self._act(Step.ANSWER_BOUNCE, request, _answer_bounce)

    @activity.defn(name="renew_notice")
    async def renew_notice(self, request: StepRequest) -> DunningProgress:
        """Drop a notice that says too little and propose it anew (X13)."""
        return await self._act(Step.RENEW_NOTICE, request, _renew)

    @activity.defn(name="drop_notice")
    async def drop_notice(self, request: StepRequest) -> DunningProgress:
        """Drop a notice that must not go out any more."""
        return await self._act(Step.DROP_NOTICE, request, _drop)

    @activity.defn(name="escalate_approval")
    async def escalate_approval(self, request: StepRequest) -> DunningProgress:
        """Ask the substitute to look at an approval that waits."""
        return await self._act(Step.ESCALATE_APPROVAL, request, _escalate)

    @activity.defn(name="ask_about_money")
    async def ask_about_money(self, request: StepRequest) -> DunningProgress:
        """Ask a person whose money it is that came in; the notice waits meanwhile."""
        return await self._act(Step.ASK_ABOUT_MONEY, request, _ask_about_money)

    @activity.defn(name="end_dunning")
    async def end_dunning(self, request: StepRequest) -> DunningProgress:
        """End the case: nothing is overdue any more."""
        return await self._act(Step.END_DUNNING, request, _end)

    @activity.defn(name="report_dunning_failure")
    async def report_dunning_failure(self, request: StepRequest) -> DunningProgress:
        """Make a failed step an exception with a task."""
        async with self.services.database.transaction() as session:
            firm = await company.get(session)
            await failed_steps.report(
                session,
                request,
                owner=_ACCOUNTING,
                assignee=tasks.assignee(firm, _ACCOUNTING),
                today=local_date(request.at, firm.time_zone),
            )
            return await _refresh(session, request)

    @activity.defn(name="take_dunning_decision")
    async def take_dunning_decision(self, request: DecisionRequest) -> DunningProgress:
        """Store a decision that came through Temporal (the API stores its own) and look again."""
        async with self.services.database.transaction() as session:

            async def store() -> Json:
                decision = Decision.through_temporal(request)
                await decisions.store(session, request.case_id, decision, request.at)
                return {}

            if not request.command.stored:
                await once(session, request, store)
            return await cases.refresh(
                session, request.case_id, customer_no_of(request.case_id), request.at
            )

    async def _act(self, step: Step, request: StepRequest, effect: Effect) -> DunningProgress:
        """Bring the effect about if it is still what the facts ask for."""
        number = customer_no_of(request.case_id)
        async with self.services.database.transaction() as session:
            customer = await customers.locked(session, number)
            plan = (await cases.look(session, request.case_id, number, request.at)).plan
            if (plan.step, plan.cause) == (step, request.cause):
                await once(session, request, lambda: effect(session, customer, request))
            return await _refresh(session, request)


async def _refresh(session: AsyncSession, request: StepRequest) -> DunningProgress:
    number = customer_no_of(request.case_id)
    return await cases.refresh(session, request.case_id, number, request.at)


def _id(request: StepRequest) -> int:
    return int(request.cause.rpartition("-")[2])


async def _renew(session: AsyncSession, customer: Customer, request: StepRequest) -> Json:
    """Propose what is due now, at the level that is next now; the same rule stands behind it."""
    old = await notices.get(session, _id(request))
    wish = await proposing.again(session, old, f"{old.why}; proposed anew: what is due changed")
    await notices.drop(session, request.case_id, old, "it is proposed anew", request.at)
    await _propose(session, customer, wish, request)
    return {}


async def _propose(
    session: AsyncSession, customer: Customer, wish: Wish, request: StepRequest
) -> None:
    await proposing.propose(
        session,
        customer,
        wish,
        case_id=request.case_id,
        key=f"{request.key}:approval",
        at=request.at,
    )


async def _drop(session: AsyncSession, customer: Customer, request: StepRequest) -> Json:
    plan = (await cases.look(session, request.case_id, customer.customer_no, request.at)).plan
    notice = await notices.get(session, _id(request))
    await notices.drop(session, request.case_id, notice, plan.why, request.at)
    return {}


async def _escalate(session: AsyncSession, customer: Customer, request: StepRequest) -> Json:
    firm = await company.get(session)
    notice = await notices.get(session, _id(request))
    await tasks.create(
        session,
        key=request.key,
        kind="approval_waits",
        title=f"Approve or reject notice {notice.id} to customer {customer.customer_no}",
        description=f"It has waited since {notice.proposed_at:%Y-%m-%d}:"
        f" `zahltag approval approve {notice.approval_id}`, or `reject` with a reason.",
        assignee=tasks.assignee(firm, _SUBSTITUTE),
        due=local_date(request.at, firm.time_zone),
        case_id=request.case_id,
        at=request.at,
        context={"approval_id": notice.approval_id, "customer_no": customer.customer_no},
    )
    return {}


async def _ask_about_money(session: AsyncSession, customer: Customer, request: StepRequest) -> Json:
    firm = await company.get(session)
    await tasks.create(
        session,
        key=request.key,
        kind=questions.WHOSE_MONEY,
        title=f"Is payment {_id(request)} of customer {customer.customer_no}?",
        description="It came in and nobody has assigned it, and it may be this customer's. A notice"
        " waits for the answer. If the money is not this customer's, mark this task as done with"
        " the outcome not_theirs: the notice goes out then. If it is, let it be booked for the"
        " invoice: the notice is calculated anew or dropped by itself.",
        assignee=tasks.assignee(firm, _ACCOUNTING),
        due=local_date(request.at, firm.time_zone),
        case_id=request.case_id,
        at=request.at,
        context={"payment_id": _id(request), "customer_no": customer.customer_no},
    )
    return {}


async def _answer_bounce(session: AsyncSession, customer: Customer, request: StepRequest) -> Json:
    """Send it by letter where the rule allows letters, as a notice that does not count again."""
    old = await bounces.notice_of(session, _id(request))
    wish = await bounces.by_letter(session, old)
    if wish is not None and await notices.pending_of(session, customer.id or 0) is None:
        await _propose(session, customer, wish, request)
        return {"by": "letter"}
    firm = await company.get(session)
    await tasks.create(
        session,
        key=request.key,
        kind="notice_bounced",
        title=f"Notice {old.id} to customer {customer.customer_no} did not arrive",
        description="The mail server says that it could not be delivered. Mend the e-mail address,"
        " or send the notice by letter.",
        assignee=tasks.assignee(firm, _ACCOUNTING),
        due=local_date(request.at, firm.time_zone),
        case_id=request.case_id,
        at=request.at,
        context={"notice_id": old.id, "customer_no": customer.customer_no},
    )
    return {"by": "task"}


async def _end(session: AsyncSession, customer: Customer, request: StepRequest) -> Json:
    reason = "nothing is overdue any more"
    for notice in await notices.unfinished_of(session, customer.id or 0):
        await notices.drop(session, request.case_id, notice, reason, request.at)
    await sending.leave_open(session, request.case_id, customer.id or 0, reason, request.at)
    await tasks.resolve_all(session, request.case_id, by=history.SYSTEM, at=request.at)
    await ladders.end(session, customer.id or 0, request.case_id, request.at, reason)
    return {}
