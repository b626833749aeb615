"""Cases: read the facts, decide what comes next, write the projection that lists and shows read."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import asyncpg
from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError, TryLaterError
from domain.money import round_amount
from domain.order import PaymentStatus
from domain.order_case import (
    Plan,
    Standing,
    Status,
    Step,
    accounting_status,
    amount_expected,
    decide,
    payment_status,
)
from models.messages import Progress
from models.store.sql import Row, Statement
from models.tables import CaseFile, Customer

# Each table is read once, by its index, and gives exactly one row: the plan stays the same however
# much there is.
_FACTS = Statement(r"""
select o.revision, o.checked_revision, o.hold_reason, o.currency, o.total,
       o.content -> 'payment' ->> 'status' as payment_status,
       cast(o.content ->> 'cancelled' as boolean) as cancelled_in_shop,
       f.closed_as, f.overdue_noted, f.cancel_reason is not null as cancelling,
       coalesce(c.customer_no, '') as customer_no,
       i.id as invoice_id, coalesce(i.invoice_no, '') as invoice_no,
       coalesce(i.paid_at_issue, false) as paid_at_issue, x.id is not null as invoice_cancelled,
       t.due_date, coalesce(t.open_amount, 0) as amount_due,
       approvals.*, exceptions.*, mails.*, tasks.*, payments.*,
       exists (select from journal_entry j where j.case_id = f.id
               and j.kind = 'written_off') as written_off,
       (select max(d.id) from due_date_change d where d.case_id = f.id and not exists (
          select from outgoing_mail m where m.state = 'sent'
          and m.key = f.id || '\:send_email.due_date_changed\:extension-' || d.id)) as extension,
       (select al.payment_id from allocation al where al.invoice_id = i.id
        order by al.id desc limit 1) as last_payment,
       (o.source = 'crm' and exists (select from channel h where h.name = f.channel
        and h.api_token <> '' and h.settings -> 'writes' <> '{}'\:\:jsonb)) as deal,
       coalesce((select d.said from deal_update d where d.case_id = f.id
                 and d.state = 'done' order by d.id desc limit 1), '') as deal_told,
       (select count(*) from deal_update d where d.case_id = f.id
        and d.state = 'done') as deal_updates,
       exists (select from deal_update d where d.case_id = f.id
               and d.state = 'postponed' and d.retry_at > now()) as deal_postponed,
       (select profile ->> 'time_zone' from company) as time_zone
from case_file f
join sales_order o on o.id = f.order_id
left join customer c on c.id = o.customer_id
left join invoice i on i.order_id = o.id and i.type = '380'
left join invoice x on x.order_id = o.id and x.type = '384'
left join open_item t on t.invoice_id = i.id
cross join lateral (
  select coalesce((array_agg(status order by id desc)
                   filter (where step = 'accept_order'))[1], '') as approval,
         coalesce((array_agg(status order by id desc)
                   filter (where step = 'write_off'))[1], '') as write_off,
         coalesce(bool_or(status = 'pending'), false) as asks
  from approval where case_id = f.id) approvals
cross join lateral (
  select coalesce(array_agg(field order by id) filter (where kind <> 'step_failed'),
                  '{}') as problems,
         coalesce(array_agg(field order by id) filter (where kind = 'step_failed'),
                  '{}') as failed_steps
  from case_exception where case_id = f.id and resolved_at is null) exceptions
cross join lateral (
  select coalesce(array_agg(kind) filter (where state = 'sent'), '{}') as mailed,
         coalesce(bool_or(state in ('sent', 'handing_over')), false) as told
  from outgoing_mail where case_id = f.id) mails
cross join lateral (
  select coalesce(bool_or(status = 'open' and kind <> 'refund'), false) as open_tasks,
         coalesce(array_agg(kind || '\:' || coalesce(context ->> 'payment_id', '')),
                  '{}') as tasks
  from task where case_id = f.id) tasks
cross join lateral (
  select coalesce(sum(amount) filter (where currency = o.currency), 0) as received,
         coalesce(array_agg(id order by id) filter (where reconciled_at is null),
                  '{}') as unreconciled,
         coalesce(array_agg(id order by id)
                  filter (where unallocated > 0 and reconciled_at is not null),
                  '{}') as left_over
  from payment where case_id = f.id) payments
where f.id = :case_id
""")


_PROJECTION = Statement("""
update case_file set invoice_no = :invoice_no, status = :status, payment_status = :payment_status,
  fulfilment_status = :fulfilment_status, return_status = :return_status,
  accounting_status = :accounting_status, amount_due = :amount_due, currency = :currency,
  due_date = :due_date, next_step = :next_step, next_step_at = :next_step_at, why = :why,
  waiting_for = :waiting_for, needs_attention = :needs_attention, updated_at = :at
where id = :case_id
""")
_CLOSE = Statement("""
update case_file set closed_at = :at, closed_as = :status where id = :case_id and closed_at is null
""")
_TAKES_MONEY = Statement("""
select closed_as is not null or exists (select from invoice i
  where i.case_id = f.id and i.type = '380')
from case_file f where f.id = :case_id
""")
# `no key`: who only names a locked row by a foreign key does not wait for it. A second update of a
# row in one transaction checks its foreign keys anew, so with `for update` a step that holds a case
# would wait for its customer.
# The customer first: rows of a CTE are locked when they are read, those outside once all is joined.
_LOCK = Statement("""
with c as materialized (select id from customer
  where id = (select customer_id from case_file where id = :case_id) for no key update)
select f.customer_id, c.id as locked from case_file f left join c on true where f.id = :case_id
for no key update of f
""")
_CROSSED = timedelta(seconds=1)
_LOCK_CUSTOMER_NOW = Statement("select from customer where id = :id for no key update nowait")


async def refresh(session: AsyncSession, case_id: str, at: datetime) -> Progress:
    """Read the facts, decide what comes next, write the projection and return both.

    Every activity ends with this, in its own transaction, so the projection never lags behind.
    """
    progress = await look(session, case_id, at)
    await project(session, case_id, progress, at)
    return progress


async def look(session: AsyncSession, case_id: str, at: datetime) -> Progress:
    """Read the facts and decide what comes next, without writing anything."""
    facts = await _facts(session, case_id)
    case = _standing(facts)
    zone = ZoneInfo(facts["time_zone"] or "UTC")
    return _progress(case, decide(case, at.astimezone(zone).date()), zone)


async def standing(session: AsyncSession, case_id: str) -> Standing:
    """Return the facts of a case, to check whether a command fits its state."""
    return _standing(await _facts(session, case_id))


async def takes_money(session: AsyncSession, case_id: str) -> bool:
    """Say whether a payment can be matched: there is an invoice, or the case is over."""
    return bool(await _TAKES_MONEY.value(session, case_id=case_id))


async def standing_on(session: AsyncSession, case_id: str, at: datetime) -> tuple[Standing, date]:
    """Return the facts of a case, and the local day at the company at that instant."""
    facts = await _facts(session, case_id)
    return _standing(facts), _day(facts, at)


async def today(session: AsyncSession, case_id: str, at: datetime) -> date:
    """Return the local day at the company at that instant."""
    return _day(await _facts(session, case_id), at)


def _day(facts: Row, at: datetime) -> date:
    return at.astimezone(ZoneInfo(facts["time_zone"] or "UTC")).date()


async def _facts(session: AsyncSession, case_id: str) -> Row:
    row = await _FACTS.row(session, case_id=case_id)
    if row is None:
        raise NotFoundError(f"There is no case {case_id}.")
    return row


def _standing(facts: Row) -> Standing:
    mailed, tasks = set(facts["mailed"]), set(facts["tasks"])
    asked = ["refund"] if facts["cancelling"] else ["refund", "payment_on_account"]
    kinds = {task.split(":")[0] for task in tasks}
    paid = facts["invoice_id"] is not None and facts["amount_due"] == 0
    return Standing(
        revision=facts["revision"],
        checked_revision=facts["checked_revision"],
        problems=tuple(dict.fromkeys(facts["problems"])),
        payment_status=PaymentStatus(facts["payment_status"]),
        currency=facts["currency"],
        total=facts["total"],
        cancelled_in_shop=bool(facts["cancelled_in_shop"]),
        approval_needed=facts["hold_reason"],
        approval=facts["approval"],
        received=facts["received"],
        customer_no=facts["customer_no"],
        invoice_id=facts["invoice_id"],
        invoice_no=facts["invoice_no"],
        paid_at_issue=facts["paid_at_issue"],
        invoice_mailed="invoice" in mailed,
        rescue_mailed="payment_rescue" in mailed,
        rescue_task="payment_failed" in kinds,
        due_date=facts["due_date"],
        amount_due=facts["amount_due"],
        follow_up_task="follow_up_payment" in kinds,
        overdue_noted=facts["overdue_noted"],
        unreconciled=tuple(facts["unreconciled"]),
        on_account=tuple(
            p for p in facts["left_over"] if not tasks & {f"{kind}:{p}" for kind in asked}
        ),
        extension=facts["extension"],
        write_off="" if facts["write_off"] == "rejected" else facts["write_off"],
        written_off=facts["written_off"],
        cancelling=facts["cancelling"],
        open_tasks=facts["open_tasks"] or facts["asks"],
        invoice_cancelled=facts["invoice_cancelled"],
        told=facts["told"],
        cancellation_mailed="cancellation" in mailed,
        settled_by=facts["last_payment"] if paid else None,
        confirmed="payment_confirmation" in mailed,
        failed_steps=tuple(facts["failed_steps"]),
        deal=facts["deal"],
        deal_told=facts["deal_told"],
        deal_updates=facts["deal_updates"],
        deal_postponed=facts["deal_postponed"],
        closed=Status(facts["closed_as"]) if facts["closed_as"] else None,
    )


def _progress(case: Standing, plan: Plan, zone: ZoneInfo) -> Progress:
    wake_at = None
    if plan.step is Step.WAIT and plan.until:
        # A minute into the day: no clock that lags a little makes the day before of it.
        local = datetime.combine(plan.until, time(0, 1), zone)
        wake_at = local.astimezone(UTC)
    return Progress(
        plan=plan,
        wake_at=wake_at,
        customer_no=case.customer_no,
        invoice_no=case.invoice_no,
        # The column has a decimal more than most currencies: an operator reads 40.90, not 40.900.
        amount_due=round_amount(amount_expected(case), case.currency),
        currency=case.currency,
        due_date=case.due_date,
        payment_status=payment_status(case),
        fulfilment_status="not_tracked",
        return_status="none",
        accounting_status=accounting_status(case),
    )


async def project(session: AsyncSession, case_id: str, progress: Progress, at: datetime) -> None:
    """Write what lists and shows read of a case."""
    plan = progress.plan
    await _PROJECTION.run(
        session,
        case_id=case_id,
        invoice_no=progress.invoice_no or None,
        status=plan.status,
        payment_status=progress.payment_status,
        fulfilment_status=progress.fulfilment_status,
        return_status=progress.return_status,
        accounting_status=progress.accounting_status,
        amount_due=progress.amount_due,
        currency=progress.currency,
        due_date=progress.due_date,
        next_step=plan.next_step,
        next_step_at=progress.wake_at,
        why=plan.why,
        waiting_for=plan.waiting_for,
        needs_attention=plan.attention,
        at=at,
    )


async def close(session: AsyncSession, case_id: str, status: Status, at: datetime) -> None:
    """Close the case; it comes back by itself if a later fact concerns it."""
    await _CLOSE.run(session, case_id=case_id, status=status, at=at)


async def lock(session: AsyncSession, case_id: str) -> None:
    """Lock the customer, if the case has one, then the case: what is planned now holds.

    Whoever changes a case begins with this, so that nobody waits in a circle. TryLaterError where
    that would be one: the transaction has to be begun anew.
    """
    row = await _LOCK.row(session, case_id=case_id)
    if row and row["customer_id"] != row["locked"]:
        # It was checked while we waited for it. Who has that customer may wait for this case.
        try:
            await _LOCK_CUSTOMER_NOW.run(session, id=row["customer_id"])
        except asyncpg.LockNotAvailableError:
            raise TryLaterError("somebody else is changing its customer", _CROSSED) from None


async def request_cancellation(session: AsyncSession, case_id: str, reason: str) -> None:
    """Note that a person wants everything undone; a closed case is open again for it."""
    await session.exec(
        update(CaseFile)
        .where(col(CaseFile.id) == case_id)
        .values(cancel_reason=reason, closed_at=None, closed_as=None)
    )


async def note_overdue(session: AsyncSession, case_id: str) -> None:
    """Remember that the due date has passed unpaid."""
    await _set_overdue(session, case_id, noted=True)


async def forget_overdue(session: AsyncSession, case_id: str) -> None:
    """The due date was moved: whether it passes has to be seen again."""
    await _set_overdue(session, case_id, noted=False)


async def _set_overdue(session: AsyncSession, case_id: str, *, noted: bool) -> None:
    await session.exec(
        update(CaseFile).where(col(CaseFile.id) == case_id).values(overdue_noted=noted)
    )


async def get(session: AsyncSession, case_id: str) -> tuple[CaseFile, str | None]:
    """Return a case's projection and its customer's number; NotFoundError if there is none."""
    query = (
        select(CaseFile, Customer.customer_no)
        .join(Customer, col(Customer.id) == CaseFile.customer_id, isouter=True)
        .where(CaseFile.id == case_id)
    )
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no case {case_id}.")
    return row[0], row[1]
