"""How a rule's run acts without cases, and how it ends: marks, its end, and what failed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.services import Services
from domain.calendar import local_date
from domain.errors import Problem
from models.codec import Json
from models.messages import StepRequest
from models.run_messages import RunFailure, RunRequest
from models.store import company, tasks
from models.store.dunning import marks, rules, runs
from models.store.effects import once

MAIL_FAILED = "manager_mail_failed"
_OWNER = "admin"


@dataclass(frozen=True, slots=True)
class RunEndingActivities:
    """The activities ``mark_customers``, ``finish_run`` and ``report_run_failure``."""

    services: Services

    @activity.defn(name="mark_customers")
    async def mark_customers(self, request: RunRequest) -> bool:
        """Mark everybody whom the run took as problematic (K5), once."""
        async with self.services.database.transaction() as session:
            run = await runs.get(session, request.run_id)

            async def mark() -> Json:
                return {"marked": await marks.mark(session, run, request.at)}

            step = StepRequest(
                key=f"{request.key}:mark_customers:run-{run.id}",
                case_id=f"rule-{run.rule_id}",
                cause=f"run-{run.id}",
                at=request.at,
            )
            await once(session, step, mark)
        return True

    @activity.defn(name="finish_run")
    async def finish_run(self, request: RunRequest) -> bool:
        """Note that a run is over: everybody is handed over, or it was cancelled."""
        async with self.services.database.transaction() as session:
            await runs.finish(session, request.run_id, request.at, cancelled=request.cancelled)
        return True

    @activity.defn(name="report_run_failure")
    async def report_run_failure(self, failure: RunFailure) -> bool:
        """Make what failed an exception with a task; once while it is open."""
        async with self.services.database.transaction() as session:
            await _report(session, failure)
        return True


async def _report(session: AsyncSession, failure: RunFailure) -> None:
    stored = await rules.any_by_id(session, failure.rule_id)
    case_id, name = f"rule-{failure.rule_id}", stored.name
    kind = MAIL_FAILED if failure.mail else runs.RUN_FAILED
    what = "A mail to an account manager" if failure.mail else "A run"
    mend = (
        "Mend the address of the account manager, and tell them yourself this time."
        if failure.mail
        else f"Mend the cause, then run it: `zahltag rule run {name!r}`."
    )
    problem = Problem(
        field=failure.name, expected=mend, found=failure.reason, kind=kind, owner=_OWNER
    )
    exception_id = await tasks.raise_exception(session, case_id, problem, failure.at)
    if exception_id is None:
        return
    firm = await company.get(session)
    await tasks.create(
        session,
        key=f"{case_id}:{kind}:{exception_id}",
        kind=kind,
        title=f"{what} of the rule {name!r} failed",
        description=f"{failure.reason} {mend}",
        assignee=tasks.assignee(firm, _OWNER),
        due=local_date(failure.at, firm.time_zone) + timedelta(days=1),
        case_id=case_id,
        at=failure.at,
        context={"rule": name, "run": failure.name},
    )
