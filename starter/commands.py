"""A person's command about a case: stored with an outbox row first, then told to the workflow.

What is stored takes effect even if nobody is there to hear it now: the outbox row is delivered as a
signal after a short while unless the workflow has answered before. Repeating is safe: the update
and the signal bear the same id, and a decision that was stored before changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.exceptions import TemporalError

from models.messages import Command, DunningProgress, Progress
from models.store import approvals, cases, customers, decisions, outbox
from models.store.decisions import Decision
from models.store.dunning import decisions as dunning
from models.store.dunning.telling import PREFIX, customer_no_of
from starter.services import Services, now

SIGNALS = {
    "correct": "correct_order",
    "retry": "retry_step",
    "approve": "approval",
    "reject": "rejection",
    "cancel": "cancel_order",
    "extend": "extend_due_date",
    "write_off": "write_off_proposed",
}
# With the look at Temporal that follows, a person has an answer within ten seconds.
PATIENCE = 8.0
LOOK = 1.0
SAFETY_NET = timedelta(seconds=15)

log = structlog.get_logger("commands")


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a command. ``effective``: the case's workflow has taken it.

    ``reachable``: whether Temporal answered, if the workflow has not.
    """

    case_id: str
    known: bool
    effective: bool
    reachable: bool = True

    @property
    def message(self) -> str:
        """Say it in one sentence."""
        if self.known:
            return "This was known; nothing was changed."
        if self.effective:
            return "Stored, and the case has taken it."
        if not self.reachable:
            return (
                "Stored, but Temporal is away (`zahltag doctor` says more): it takes effect by"
                " itself once Temporal is back. Look again later; there is nothing to repeat."
            )
        return "Stored; it takes effect as soon as a worker runs."


async def command_case(services: Services, case_id: str, decision: Decision) -> Done:
    """Store a decision about a case and tell its workflow."""
    at = now()
    async with services.database.transaction() as session:
        if not await _store(session, case_id, decision, at):
            return Done(case_id, known=True, effective=True)
        command, row_id = await _promise(session, case_id, decision, at)
    return await _carry_out(services, case_id, decision.name, command, row_id)


async def decide_approval(services: Services, approval_id: int, decision: Decision) -> Done:
    """Store the decision of an approval and tell its case; the same decision again is known."""
    at = now()
    async with services.database.transaction() as session:
        case_id = await approvals.case_of(session, approval_id)
        if case_id.startswith(PREFIX):
            await customers.locked(session, customer_no_of(case_id))
        else:
            await cases.lock(session, case_id)
        approval = await approvals.get(session, approval_id)
        if approval.step == approvals.SEND_NOTICE:
            new = await dunning.decide(session, approval, decision, at)
        else:
            new = await approvals.decide(
                session,
                approval,
                approved=decision.name == "approve",
                by=decision.by,
                reason=decision.reason,
                at=at,
            )
        if not new:
            return Done(approval.case_id, known=True, effective=True)
        command, row_id = await _promise(session, approval.case_id, decision, at)
    return await _carry_out(services, approval.case_id, decision.name, command, row_id)


async def approve_all(services: Services, rule: str, by: str) -> int:
    """Approve every notice of a rule that waits; return how many. Their cases hear of it soon."""
    at, decision = now(), Decision("approve", by)
    async with services.database.transaction() as session:
        waiting = await approvals.pending_of_rule(session, rule)
        for approval in waiting:
            if await dunning.decide(session, approval, decision, at):
                await _promise(session, approval.case_id, decision, at, after=timedelta(0))
    return len(waiting)


async def _store(session: AsyncSession, case_id: str, decision: Decision, at: datetime) -> bool:
    if case_id.startswith(PREFIX):
        return await dunning.store(session, case_id, decision, at)
    return await decisions.store(session, case_id, decision, at)


async def _promise(
    session: AsyncSession,
    case_id: str,
    decision: Decision,
    at: datetime,
    *,
    after: timedelta = SAFETY_NET,
) -> tuple[Command, int]:
    """Queue the signal. The command says only that there is a decision: its values are stored."""
    command = Command(id=f"{decision.name}-{uuid4()}", stored=True, by=decision.by)
    row_id = await outbox.tell(
        session,
        case_id,
        SIGNALS[decision.name],
        at,
        after=after,
        id=command.id,
        stored=command.stored,
        by=command.by,
    )
    return command, row_id


async def _carry_out(
    services: Services, case_id: str, name: str, command: Command, row_id: int
) -> Done:
    """Tell the workflow and wait for its answer; without one the outbox row tells it later."""
    try:
        async with asyncio.timeout(PATIENCE):
            client = await services.temporal()
            answer = DunningProgress if case_id.startswith(PREFIX) else Progress
            await client.get_workflow_handle(case_id).execute_update(
                name, command, id=command.id, result_type=answer
            )
    except (TemporalError, TimeoutError, OSError, RuntimeError) as error:
        log.warning("not taken yet", case=case_id, command=name, error=type(error).__name__)
        async with services.database.transaction() as session:
            # A case that has ended comes back by its signal; there is no reason to let it wait.
            await outbox.hurry(session, row_id, now())
        reachable = await _temporal_answers(services)
        return Done(case_id, known=False, effective=False, reachable=reachable)
    async with services.database.transaction() as session:
        await outbox.mark_delivered(session, [row_id], now())
    return Done(case_id, known=False, effective=True)


async def _temporal_answers(services: Services) -> bool:
    try:
        async with asyncio.timeout(LOOK):
            client = await services.temporal()
            return await client.service_client.check_health(timeout=timedelta(seconds=LOOK))
    except (TemporalError, TimeoutError, OSError, RuntimeError):
        return False
