"""What lists and shows read across aggregates: one statement each, however long the list is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import RowMapping, text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from models.tables import CaseException

_CASES = text("""
select f.id, f.kind, f.status, f.channel, f.order_no, c.customer_no, f.invoice_no, f.amount_due,
       f.currency, f.due_date, f.next_step, f.next_step_at, f.why, f.needs_attention, o.total
from case_file f
left join sales_order o on o.id = f.order_id
left join customer c on c.id = f.customer_id
where cast(:status as text) is null or f.status = :status
order by f.opened_at, f.id
""")

_CUSTOMERS = text("""
select c.id, c.customer_no, c.name, c.kind, c.email, c.language, c.terms_days,
       coalesce(d.debts, '{}') as debts, coalesce(d.overdue, '{}') as overdue,
       coalesce(:today - d.oldest, 0) as oldest_overdue_days, f.next_step, f.why,
       m.next_step as dunning_step, m.why as dunning_why, m.waiting_for as dunning_waits_for
from customer c
left join (
  select customer_id, jsonb_object_agg(currency, debt) as debts,
         jsonb_object_agg(currency, late) as overdue, min(oldest) as oldest
  from (select customer_id, currency, sum(open_amount)::text as debt,
               coalesce(sum(open_amount) filter (where due_date < :today), 0)::text as late,
               min(due_date) filter (where due_date < :today) as oldest
        from open_item where open_amount > 0 group by customer_id, currency) per_currency
  group by customer_id) d on d.customer_id = c.id
left join (
  select distinct on (customer_id) customer_id, next_step, why from case_file
  where closed_at is null and kind <> 'dunning'
  order by customer_id, opened_at, id) f on f.customer_id = c.id
left join case_file m on m.customer_id = c.id and m.kind = 'dunning' and m.closed_at is null
where cast(:number as text) is null or c.customer_no = :number
order by c.id
""")

_INVOICES = text("""
select i.id, i.invoice_no, i.type, i.case_id, i.issue_date, i.currency, i.net, i.tax, i.charged,
       c.customer_no, coalesce(t.open_amount, 0) as open_amount,
       coalesce(t.due_date, i.due_date) as due_date,
       exists (select from invoice x where x.order_id = i.order_id
               and x.type = '384' and i.type = '380') as cancelled,
       exists (select from journal_entry j where j.case_id = i.case_id
               and j.kind = 'written_off') as written_off
from invoice i join customer c on c.id = i.customer_id
left join open_item t on t.invoice_id = i.id
where cast(:number as text) is null or i.invoice_no = :number
order by i.id
""")

_APPROVALS = text("""
select a.id, c.customer_no, a.case_id, a.step, a.amount, a.currency, a.why, a.rule, a.status,
       a.requested_at
from approval a
join case_file f on f.id = a.case_id
left join customer c on c.id = coalesce(a.customer_id, f.customer_id)
where a.status = 'pending'
order by a.id
""")


async def cases(session: AsyncSession, status: str | None) -> Sequence[RowMapping]:
    """Return all cases, or those with a status, oldest first."""
    return (await session.execute(_CASES, {"status": status})).mappings().all()


async def customers(
    session: AsyncSession, today: date, customer_no: str | None = None
) -> Sequence[RowMapping]:
    """Return all customers (or one): what they owe per currency, and what their open cases say.

    That is the oldest of another kind than dunning, and the dunning case.
    """
    values = {"today": today, "number": customer_no}
    return (await session.execute(_CUSTOMERS, values)).mappings().all()


async def invoices(session: AsyncSession, invoice_no: str | None = None) -> Sequence[RowMapping]:
    """Return all invoices (or one) with their figures and what is open on them."""
    return (await session.execute(_INVOICES, {"number": invoice_no})).mappings().all()


async def approvals(session: AsyncSession) -> Sequence[RowMapping]:
    """Return the approvals that wait, oldest first."""
    return (await session.execute(_APPROVALS)).mappings().all()


async def exception(session: AsyncSession, exception_id: int) -> CaseException:
    """Return an exception, resolved or not; NotFoundError if there is none."""
    row = await session.get(CaseException, exception_id)
    if row is None:
        raise NotFoundError(f"There is no exception {exception_id}.")
    return row
