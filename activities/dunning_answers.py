"""How a dunning case answers the claim of a rule's run: a notice is proposed, or a task created."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.calendar import local_date
from domain.dunning.actions import TRAITS, Action, lane
from domain.dunning.facts import derive
from domain.dunning.holds import hold
from domain.dunning.matching import matches
from models.codec import Json
from models.messages import StepRequest
from models.store import company, history, tasks
from models.store.dunning import accounts, calls, cases, claims, ladders, proposing
from models.store.dunning.claims import Claim
from models.tables import Customer

CALL = calls.TASK
LAWYER = "lawyer_handover"
_TITLES = {CALL: "Call customer {no}", LAWYER: "Hand customer {no} over to the lawyer"}


async def answer(session: AsyncSession, customer: Customer, request: StepRequest) -> Json:
    """Do what the rule says if it still may be done; else say why not. Either is the answer."""
    claim = await claims.get(session, int(request.cause.removeprefix("claim-")))
    reason = await _why_not(session, customer, claim, request)
    if not reason and not await _do(session, customer, claim, request):
        reason = "nothing is due that it could be about"
    if reason:
        said = f"Not done what the rule {claim.rule.name!r} says: {reason}"
        history.note(session, request.case_id, request.at, "claim_dropped", said, claim=claim.id)
    return {"done": not reason, "reason": reason}


async def _why_not(
    session: AsyncSession, customer: Customer, claim: Claim, request: StepRequest
) -> str:
    """Return why the claim does not hold any more; empty if it does.

    Between the run and its answer a payment may have come, or a day may have passed.
    """
    today = await cases.today(session, request.at)
    if claim.day != today:
        return f"its day, {claim.day}, is over; the next run looks at the customer again"
    customer_id, firm = customer.id or 0, await company.get(session)
    known = await accounts.dossiers(session, today, [customer_id])
    if customer_id not in known:
        return "nothing is open any more"
    dossier = known[customer_id].settled(today)
    verdict = matches(
        claim.rule, derive(dossier.account_on(today), today=today, currency=firm.currency)
    )
    if not verdict.matched:
        return f"it is no longer so: {verdict.why_not}"
    circumstances = dossier.circumstances_on(today, claim.rule_id)
    mine = replace(circumstances, lanes_taken=frozenset())  # this very claim took the day
    return hold(claim.rule.action, lane(claim.rule.action, claim.rule_id), mine, today) or ""


async def _do(
    session: AsyncSession, customer: Customer, claim: Claim, request: StepRequest
) -> bool:
    level = await ladders.level(session, customer.id or 0)
    if TRAITS[claim.rule.action].sends:
        wish = proposing.of_claim(claim, level)
        key = f"{request.key}:approval"
        made = await proposing.propose(
            session, customer, wish, case_id=request.case_id, key=key, at=request.at
        )
        return made is not None
    kind = CALL if claim.rule.action is Action.CALL_TASK else LAWYER
    firm = await company.get(session)
    today = local_date(request.at, firm.time_zone)
    await tasks.create(
        session,
        key=request.key,
        kind=kind,
        title=claim.rule.title or _TITLES[kind].format(no=customer.customer_no),
        description=claim.rule.description or f"The rule {claim.rule.name!r} asks for it.",
        assignee=await calls.caller_of(session, customer.id or 0, firm)
        if kind == CALL
        else tasks.assignee(firm, "accounting"),
        due=today + timedelta(days=1),
        case_id=request.case_id,
        at=request.at,
        context={
            "customer_no": customer.customer_no,
            "rule": claim.rule.name,
            "why": claim.why(level),
        },
    )
    return True
