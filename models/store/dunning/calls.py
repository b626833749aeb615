"""Calls to debtors and what came of them: one row per task or noted call, never two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.dunning.calls import CallOutcome
from domain.errors import ConflictError, RefusedError
from domain.money import plain_number
from models.dunning_tables import Debtor, DunningCall
from models.store import customers, history, tasks
from models.store.dunning import blocks, disputes, promises
from models.store.dunning.promises import Promise
from models.store.dunning.telling import PREFIX, case_id_of, tell
from models.store.sql import Statement
from models.tables import Task

TASK = "dunning_call"

# Calls count in the ladder that has not ended (L3, X11); one begins where something is overdue.
_BEGIN_LADDER = Statement("""
insert into dunning_case (customer_id, level, notices_count, calls_count, carried_level,
    carried_notices, started_at)
  select :customer_id, 0, 0, 0, 0, 0, :at
  where exists (select from open_item t where t.customer_id = :customer_id
    and t.open_amount > 0 and t.due_date < :today)
on conflict do nothing
""")
_NOTE = Statement("""
with noted as (
    insert into dunning_call (customer_id, dunning_case_id, task_id, called_on, successful,
        outcome, noted_at, noted_by)
      values (:customer_id, (select id from dunning_case where customer_id = :customer_id
        and ended_at is null), :task_id, :today, :successful, :outcome, :at, :by)
    on conflict do nothing returning dunning_case_id)
update dunning_case k set calls_count = calls_count + 1 from noted
where k.id = noted.dunning_case_id returning k.id
""")
_IS_NOTED = Statement("""
select from dunning_call where customer_id = :customer_id and task_id is null
  and called_on = :today and outcome = :outcome
""")


@dataclass(frozen=True, slots=True)
class Call:
    """What came of a call; the day and sum belong to a promise, the invoice to a dispute."""

    outcome: str
    day: date | None = None
    amount: Decimal | None = None
    currency: str | None = None
    invoice_no: str | None = None
    note: str | None = None

    @property
    def details(self) -> dict[str, Any]:
        """Return what was said beside the outcome, as the task keeps it."""
        values = {
            "promised_for": str(self.day) if self.day else None,
            "amount": plain_number(self.amount) if self.amount is not None else None,
            "currency": self.currency,
            "invoice_no": self.invoice_no,
            "note": self.note,
        }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Noted:
    """Who noted a call, and when."""

    company: Company
    today: date
    at: datetime
    by: str


async def finish_task(session: AsyncSession, task_id: int, call: Call, noted: Noted) -> bool:
    """Mark a call task as done with what came of it, all in one; False if exactly that is known."""
    task = await tasks.get(session, task_id)
    customer_no = (task.case_id or "").removeprefix(PREFIX)
    customer = await customers.locked(session, customer_no)
    query = select(Task).where(Task.id == task_id).with_for_update(key_share=True)
    task = (await session.exec(query.execution_options(populate_existing=True))).one()
    outcome = read(call)
    if task.status == "done":
        if (task.outcome, task.context.get("call", {})) == (outcome.value, call.details):
            return False
        raise ConflictError(
            f"Task {task_id} was done before with the outcome {task.outcome!r}; what is new can be"
            " said by `zahltag promise add`, `dispute open` or `call note`."
        )
    if call.details:
        task.context = {**task.context, "call": call.details}
    await session.flush()
    await tasks.finish(session, task_id, outcome=outcome.value, by=noted.by, at=noted.at)
    await _keep(session, customer_no, customer.id or 0, call, noted, task_id=task_id)
    return True


async def note(session: AsyncSession, customer_no: str, call: Call, noted: Noted) -> bool:
    """Note a call that no task asked for; the same outcome twice a day is one call: False."""
    customer = await customers.locked(session, customer_no)
    customer_id = customer.id or 0
    outcome = read(call)
    if call.note is not None:
        raise RefusedError("A note is kept in a task: leave it out, this call has none.")
    known = await _IS_NOTED.row(
        session, customer_id=customer_id, today=noted.today, outcome=outcome.value
    )
    followed = await _follow_up(session, customer_no, call, noted)
    if known is not None:
        return followed
    await _count(session, customer_no, customer_id, outcome, noted, task_id=None)
    return True


def read(call: Call) -> CallOutcome:
    """Return the outcome; RefusedError for an unknown one or for what does not belong to it."""
    allowed = ", ".join(CallOutcome)
    if call.outcome not in [known.value for known in CallOutcome]:
        raise RefusedError(f"The outcome of a call is one of {allowed}, not {call.outcome[:60]!r}.")
    outcome = CallOutcome(call.outcome)
    promised, disputed = outcome is CallOutcome.PROMISED, outcome is CallOutcome.DISPUTED
    if promised and call.day is None:
        raise RefusedError("Say which day was promised: --date, and --amount if it was a sum.")
    if disputed and call.invoice_no is None:
        raise RefusedError("Say which invoice is disputed: --invoice.")
    if not promised and (call.day or call.amount is not None or call.currency):
        raise RefusedError(f"A date and a sum belong to the outcome promised, not to {outcome}.")
    if not disputed and call.invoice_no:
        raise RefusedError(f"An invoice belongs to the outcome disputed, not to {outcome}.")
    return outcome


async def caller_of(session: AsyncSession, customer_id: int, company: Company) -> str:
    """Return who calls a customer: its account manager if that is a user, else the team (H6)."""
    query = select(Debtor.manager).where(Debtor.customer_id == customer_id)
    manager = (await session.exec(query)).one_or_none()
    if manager and manager in company.users:
        return manager
    return tasks.assignee(company, "customer care")


async def of_customer(session: AsyncSession, customer_id: int, most: int = 20) -> list[DunningCall]:
    """Return the customer's last calls, the newest first."""
    query = (
        select(DunningCall)
        .where(DunningCall.customer_id == customer_id)
        .order_by(col(DunningCall.id).desc())
        .limit(most)
    )
    return list(await session.exec(query))


async def _keep(
    session: AsyncSession,
    customer_no: str,
    customer_id: int,
    call: Call,
    noted: Noted,
    *,
    task_id: int | None,
) -> None:
    await _follow_up(session, customer_no, call, noted)
    await _count(session, customer_no, customer_id, read(call), noted, task_id=task_id)


async def _count(
    session: AsyncSession,
    customer_no: str,
    customer_id: int,
    outcome: CallOutcome,
    noted: Noted,
    *,
    task_id: int | None,
) -> None:
    values = {"customer_id": customer_id, "today": noted.today, "at": noted.at}
    await _BEGIN_LADDER.run(session, **values)
    await _NOTE.run(
        session,
        **values,
        task_id=task_id,
        successful=outcome.successful,
        outcome=outcome.value,
        by=noted.by,
    )
    said = f"Called: {outcome.value.replace('_', ' ')}"
    history.note(session, case_id_of(customer_no), noted.at, "call_noted", said, noted.by)
    await tell(session, customer_id, noted.at, f"call-{noted.at.isoformat()}")


async def _follow_up(session: AsyncSession, customer_no: str, call: Call, noted: Noted) -> bool:
    """Do what the outcome means: record the promise, open the dispute. False if it was known."""
    if call.day is not None:
        promise = Promise(call.day, call.amount, call.currency)
        return await promises.add(
            session,
            customer_no,
            promise,
            noted.company,
            today=noted.today,
            at=noted.at,
            by=noted.by,
        )
    if call.invoice_no is None:
        return False
    subject = await blocks.of_customer(session, customer_no, call.invoice_no)
    if await blocks.current(session, subject, blocks.DISPUTE, noted.today) is not None:
        return False
    return await disputes.open_dispute(
        session,
        subject,
        reason=call.note or "said on the phone",
        today=noted.today,
        at=noted.at,
        by=noted.by,
    )
