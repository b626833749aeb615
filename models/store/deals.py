"""What a CRM is told of its deals: intent, pause, outcome; and whom tasks about a deal are for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError, Problem
from models.codec import read_company
from models.store import outbox, tasks
from models.store.orders import ToCheck
from models.store.sql import Statement
from models.store.tasks import assignee
from models.tables import DealUpdate, Task

INTENDED, POSTPONED, DONE, FAILED = "intended", "postponed", "done", "failed"
LOOK_AGAIN = "look_again"
COMPLETE_DEAL = "complete_deal"
ACCOUNTING = "accounting"
# The case is woken a moment after its pause, not a moment before.
_MARGIN = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True)
class Deal:
    """Where a case's deal is, and what it should say: ``values`` by our names of the fields."""

    channel: str
    settings: dict[str, object]
    sealed_token: str
    external_id: str
    values: dict[str, str]


_DEAL = text("""
select f.channel, h.settings, h.api_token, o.content ->> 'external_id' as external_id,
       coalesce(f.invoice_no, '') as invoice_no,
       coalesce((select max(p.valid_on) from payment p
                 where p.case_id = f.id and p.unallocated < p.amount)::text, '') as paid_on
from case_file f join sales_order o on o.id = f.order_id join channel h on h.name = f.channel
where f.id = :case_id
""")


async def try_guard(session: AsyncSession, case_id: str) -> bool:
    """Lock the case's deal until the transaction ends; False if another attempt holds it.

    Without it an attempt that was given up could say "invoiced" after a later one said "paid".
    """
    query = text("select pg_try_advisory_xact_lock(hashtextextended(:name, 1))")
    connection = await session.connection()
    return bool((await connection.execute(query, {"name": f"deal:{case_id}"})).scalar_one())


async def get(session: AsyncSession, case_id: str, state: str) -> Deal:
    """Return the deal with the values for a state of ``domain.order_case.deal_state``."""
    connection = await session.connection()
    row = (await connection.execute(_DEAL, {"case_id": case_id})).mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"The channel of case {case_id} is gone: its deal cannot be updated.")
    word, _, due = state.partition(" ")
    values = {
        "invoice_no": row["invoice_no"],
        "status": word,
        "due_date": due,
        "paid_on": row["paid_on"] if word == "paid" else "",
    }
    return Deal(row["channel"], row["settings"], row["api_token"], row["external_id"], values)


async def intend(
    session: AsyncSession, key: str, case_id: str, said: str, at: datetime
) -> DealUpdate:
    """Write the intent of an attempt, or take the one there is up again, and return it."""
    await session.exec(
        insert(DealUpdate)
        .values(
            key=key,
            case_id=case_id,
            said=said,
            state=INTENDED,
            attempts=0,
            intended_at=at,
            outcome="",
        )
        .on_conflict_do_nothing()
    )
    query = select(DealUpdate).where(DealUpdate.key == key).with_for_update(key_share=True)
    row = (await session.exec(query)).one()
    if row.state == FAILED:  # a person wants it repeated: its day begins anew
        row.attempts, row.intended_at = 0, at
    if row.state != DONE:
        row.state, row.said, row.attempts = INTENDED, said, row.attempts + 1
    return row


async def postpone(
    session: AsyncSession, row: DealUpdate, pause: timedelta, why: str, at: datetime
) -> None:
    """Note the pause, and have the case woken when it is over. The case goes on meanwhile."""
    await _settle(session, row.key, state=POSTPONED, retry_at=at + pause, outcome=why[:500])
    name = f"{row.key}:{at.isoformat()}"
    await outbox.tell(session, row.case_id, LOOK_AGAIN, at, after=pause + _MARGIN, outbox_id=name)


async def fail(session: AsyncSession, key: str, why: str) -> None:
    """Note that no repeating mends it."""
    await _settle(session, key, state=FAILED, outcome=why[:500])


async def done(session: AsyncSession, row: DealUpdate, at: datetime) -> None:
    """Note that the CRM knows it; what it was to be told before is out of date."""
    await _settle(session, row.key, state=DONE, done_at=at, retry_at=None, outcome="accepted")
    await session.exec(
        update(DealUpdate)
        .where(
            col(DealUpdate.case_id) == row.case_id,
            col(DealUpdate.key) != row.key,
            col(DealUpdate.state).in_((INTENDED, POSTPONED)),
        )
        .values(state="superseded")
    )


async def _settle(session: AsyncSession, key: str, **values: object) -> None:
    await session.exec(update(DealUpdate).where(col(DealUpdate.key) == key).values(**values))


async def wake_forgotten(session: AsyncSession, at: datetime) -> int:
    """Wake cases whose pause is over for a minute and that nobody woke; return how many."""
    connection = await session.connection()
    found = (await connection.execute(_FORGOTTEN)).scalars().all()
    for case_id in found:
        await outbox.tell(session, case_id, LOOK_AGAIN, at, outbox_id=f"swept-{at.isoformat()}")
    return len(found)


_FORGOTTEN = text("""
select distinct d.case_id from deal_update d
where d.state = 'postponed' and d.retry_at < now() - interval '1 minute'
  and not exists (select from outbox o where o.case_id = d.case_id and o.signal = 'look_again'
                  and (o.delivered_at is null or o.delivered_at > d.retry_at + interval '1 second'))
""")


_LOOKS_AFTER = Statement("""
select coalesce(routed ->> 'assignee', '') as routed, coalesce(content ->> 'owner', '') as owner,
  (select cast(profile as text) from company) as profile
from sales_order where case_id = :case_id
""")


async def who_looks_after(session: AsyncSession, case_id: str, team: str) -> str:
    """Return who gets a task: whom the routing names, else the deal's owner, else the team's.

    What concerns the books is not for a deal's owner.
    """
    row = await _LOOKS_AFTER.one(session, case_id=case_id)
    mine: str = row["routed"] or (row["owner"] if team != ACCOUNTING else "")
    return mine or (assignee(read_company(row["profile"]), team) if row["profile"] else "admin")


async def ask_to_complete(
    session: AsyncSession,
    case_id: str,
    checked: ToCheck,
    problems: tuple[Problem, ...],
    at: datetime,
) -> None:
    """Have one open task that lists what a deal lacks; closed when it lacks nothing any more.

    The order is marked as checked before: whose task it is may depend on how it was routed.
    """
    query = select(Task).where(
        Task.case_id == case_id, Task.kind == COMPLETE_DEAL, Task.status == "open"
    )
    task = (await session.exec(query.with_for_update(key_share=True))).one_or_none()
    if not problems:
        if task is not None:
            await tasks.finish(
                session, task.id or 0, outcome="the deal is complete", by="zahltag", at=at
            )
        return
    fields = [problem.field for problem in problems]
    listed = "; ".join(f"{problem.field}: expected {problem.expected}" for problem in problems)
    description = (
        f"Before the invoice can be made: {listed}. Put it right in the CRM too, then here:"
        f" `zahltag case correct {case_id} FIELD=VALUE...`."
    )
    if task is not None:
        task.description, task.context = description, {"fields": fields}
        return
    await tasks.create(
        session,
        key=f"{case_id}:{COMPLETE_DEAL}:revision-{checked.revision}",
        kind=COMPLETE_DEAL,
        title=f"Complete the deal {checked.order.order_no}: {len(fields)} missing or wrong",
        description=description,
        assignee=await who_looks_after(session, case_id, "order desk"),
        due=at.date() + timedelta(days=2),
        case_id=case_id,
        at=at,
        context={"fields": fields},
    )
