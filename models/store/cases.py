"""Cases: read the facts, decide what comes next, write the projection that lists and shows read."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, text, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
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
from models.store import customers
from models.tables import CaseFile, Customer, SalesOrder

_FACTS = text(r"""
select o.revision, o.checked_revision, o.hold_reason, o.currency, o.total,
       o.content -> 'payment' ->> 'status' as payment_status,
       (o.content ->> 'cancelled')::boolean as cancelled_in_shop,
       f.closed_as, f.overdue_noted, f.cancel_reason is not null as cancelling,
       coalesce(c.customer_no, '') as customer_no,
       i.id as invoice_id, coalesce(i.invoice_no, '') as invoice_no,
       coalesce(i.paid_at_issue, false) as paid_at_issue,
       t.due_date, coalesce(t.open_amount, 0) as amount_due,
       coalesce((select a.status from approval a where a.case_id = f.id
                 and a.step = 'accept_order' order by a.id desc limit 1), '') as approval,
       coalesce((select a.status from approval a where a.case_id = f.id
                 and a.step = 'write_off' order by a.id desc limit 1), '') as write_off,
       exists (select from approval a where a.case_id = f.id
               and a.status = 'pending') as asks,
       (select count(*) from case_exception e where e.case_id = f.id
        and e.resolved_at is null and e.kind <> 'step_failed') as problems,
       array(select e.field from case_exception e where e.case_id = f.id
             and e.resolved_at is null and e.kind = 'step_failed' order by e.id) as failed_steps,
       exists (select from invoice x where x.case_id = f.id
               and x.type = '384') as invoice_cancelled,
       exists (select from journal_entry j where j.case_id = f.id
               and j.kind = 'written_off') as written_off,
       (select max(d.id) from due_date_change d where d.case_id = f.id and not exists (
          select from outgoing_mail m where m.state = 'sent'
          and m.key = f.id || '\:send_email.due_date_changed\:extension-' || d.id)) as extension,
       exists (select from task k where k.case_id = f.id and k.status = 'open'
               and k.kind <> 'refund') as open_tasks,
       array(select m.kind from outgoing_mail m
             where m.case_id = f.id and m.state = 'sent') as mailed,
       exists (select from outgoing_mail m where m.case_id = f.id
               and m.state in ('sent', 'handing_over')) as told,
       array(select k.kind || ':' || coalesce(k.context ->> 'payment_id', '')
             from task k where k.case_id = f.id) as tasks,
       coalesce((select sum(p.amount) from payment p
                 where p.case_id = f.id and p.currency = o.currency), 0) as received,
       array(select p.id from payment p where p.case_id = f.id
             and p.reconciled_at is null order by p.id) as unreconciled,
       array(select p.id from payment p where p.case_id = f.id and p.unallocated > 0
             and p.reconciled_at is not null order by p.id) as left_over,
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
       y.profile ->> 'time_zone' as time_zone
from case_file f
join sales_order o on o.id = f.order_id
left join customer c on c.id = o.customer_id
left join invoice i on i.order_id = o.id and i.type = '380'
left join open_item t on t.invoice_id = i.id
left join company y on true
where f.id = :case_id
""")


async def refresh(session: AsyncSession, case_id: str, at: datetime) -> Progress:
    """Read the facts, decide what comes next, write the projection and return both.

    Every activity ends with this, in its own transaction, so the projection never lags behind.
    """
    progress = await look(session, case_id, at)
    await _project(session, case_id, progress, at)
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


async def today(session: AsyncSession, case_id: str, at: datetime) -> date:
    """Return the local day at the company at that instant."""
    facts = await _facts(session, case_id)
    return at.astimezone(ZoneInfo(facts["time_zone"] or "UTC")).date()


async def _facts(session: AsyncSession, case_id: str) -> RowMapping:
    await session.flush()
    connection = await session.connection()
    found = await connection.execute(_FACTS, {"case_id": case_id})
    row = found.mappings().one_or_none()
    if row is None:
        raise NotFoundError(f"There is no case {case_id}.")
    return row


def _standing(facts: RowMapping) -> Standing:
    mailed, tasks = set(facts["mailed"]), set(facts["tasks"])
    asked = ["refund"] if facts["cancelling"] else ["refund", "payment_on_account"]
    kinds = {task.split(":")[0] for task in tasks}
    paid = facts["invoice_id"] is not None and facts["amount_due"] == 0
    return Standing(
        revision=facts["revision"],
        checked_revision=facts["checked_revision"],
        problems=facts["problems"],
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
        amount_due=amount_expected(case),
        currency=case.currency,
        due_date=case.due_date,
        payment_status=payment_status(case),
        fulfilment_status="not_tracked",
        return_status="none",
        accounting_status=accounting_status(case),
    )


async def _project(session: AsyncSession, case_id: str, progress: Progress, at: datetime) -> None:
    plan = progress.plan
    values: dict[str, Any] = {
        "invoice_no": progress.invoice_no or None,
        "status": plan.status.value,
        "payment_status": progress.payment_status,
        "fulfilment_status": progress.fulfilment_status,
        "return_status": progress.return_status,
        "accounting_status": progress.accounting_status,
        "amount_due": progress.amount_due,
        "currency": progress.currency,
        "due_date": progress.due_date,
        "next_step": plan.next_step,
        "next_step_at": progress.wake_at,
        "why": plan.why,
        "waiting_for": plan.waiting_for.value,
        "needs_attention": plan.attention,
        "updated_at": at,
    }
    await session.exec(update(CaseFile).where(col(CaseFile.id) == case_id).values(**values))


async def close(session: AsyncSession, case_id: str, status: Status, at: datetime) -> None:
    """Close the case; it comes back by itself if a later fact concerns it."""
    await session.exec(
        update(CaseFile)
        .where(col(CaseFile.id) == case_id, col(CaseFile.closed_at).is_(None))
        .values(closed_at=at, closed_as=status.value)
    )


async def lock_customer(session: AsyncSession, case_id: str) -> None:
    """Lock the case's customer, if it has one: no posting crosses what follows."""
    query = select(SalesOrder.customer_id).where(SalesOrder.case_id == case_id)
    customer_id = (await session.exec(query)).one_or_none()
    if customer_id is not None:
        await customers.lock(session, customer_id)


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
