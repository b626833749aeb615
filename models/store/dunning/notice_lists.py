"""Notices as people list and look at them."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from models.store.sql import Row, Statement

_LIST = Statement("""
select n.*, c.customer_no, coalesce(r.name, '') as rule, v.version as rule_version,
       d.filename as document, m.state as mail_state
from dunning_notice n join customer c on c.id = n.customer_id
left join dunning_rule r on r.id = n.rule_id
left join dunning_rule_version v on v.id = n.rule_version_id
left join document d on d.id = n.document_id
left join outgoing_mail m on m.id = n.mail_id
where (cast(:customer_no as text) is null or c.customer_no = :customer_no)
  and (cast(:id as bigint) is null or n.id = :id)
order by n.id
""")
_ITEMS = Statement("""
select o.invoice_no, x.due_date, x.proposed_amount, x.rendered_amount, x.currency,
       x.notices_before
from dunning_notice_item x join open_item o on o.invoice_id = x.invoice_id
where x.notice_id = :id order by x.due_date, x.invoice_id
""")


async def list_all(session: AsyncSession, customer_no: str | None = None) -> list[Row]:
    """Return all notices, or those to one customer, oldest first."""
    return await _LIST.rows(session, customer_no=customer_no, id=None)


async def show(session: AsyncSession, notice_id: int) -> Row:
    """Return a notice as it is listed; NotFoundError if there is none."""
    rows = await _LIST.rows(session, customer_no=None, id=notice_id)
    if not rows:
        raise NotFoundError(f"There is no notice {notice_id}; `zahltag notice list` shows them.")
    return rows[0]


async def items_of(session: AsyncSession, notice_id: int) -> list[Row]:
    """Return the invoices of a notice."""
    return await _ITEMS.rows(session, id=notice_id)
