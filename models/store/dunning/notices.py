"""Notices (Mahnschreiben): proposed, approved or dropped, sent. The database lets them go forward.

The caller holds the customer's lock. Level and counters rise when a notice was sent (X2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from models.dunning_tables import DunningNotice, DunningNoticeItem
from models.store import approvals, history
from models.store.sql import Row, Statement
from models.tables import Approval

_DUE = Statement("""
select o.invoice_id, o.invoice_no, i.issue_date, o.due_date, o.open_amount, o.currency,
       coalesce(m.notices_count, 0) + (
         select count(*) from dunning_notice_item x join dunning_notice n on n.id = x.notice_id
         where x.invoice_id = o.invoice_id and n.status = 'sent') as notices_before
from open_item o join invoice i on i.id = o.invoice_id
left join imported_item m on m.invoice_id = o.invoice_id
where o.customer_id = :customer_id and o.open_amount > 0 and o.due_date < :today
  and not exists (select from dunning_block b where b.invoice_id = o.invoice_id
    and b.lifted_at is null and b.since <= :today and (b.until is null or b.until >= :today))
order by o.due_date, o.invoice_id
""")
_RAISE = Statement("""
update dunning_case set level = level + 1, notices_count = notices_count + 1,
  last_notice_on = :on
where id = :ladder and ended_at is null
""")
_TAKE_DAY = Statement("""
insert into dunning_claim (customer_id, day, lane, matched)
values (:customer_id, :day, 'step', '{}') on conflict (customer_id, day, lane) do nothing
""")


@dataclass(frozen=True, slots=True)
class DueItem:
    """An overdue invoice that a notice is about, and in how many notices it stood before."""

    invoice_id: int
    invoice_no: str
    issue_date: date
    due_date: date
    open_amount: Decimal
    currency: str
    notices_before: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """A notice as it is proposed; ``amount`` is the most that may go out under it (X13).

    ``rule`` is the proposing rule's name; a person proposes as ``proposed_by``. ``expires_at`` is
    set where a person has to approve it.
    """

    customer_id: int
    case_id: str
    ladder: int
    level: int
    raises_level: bool
    channel: str
    template: str
    amount: Decimal
    currency: str
    why: str
    items: tuple[DueItem, ...] = ()
    registered_mail: bool = False
    claim_id: int | None = None
    rule: str = ""
    rule_id: int | None = None
    rule_version_id: int | None = None
    proposed_by: str = ""
    expires_at: datetime | None = None


async def due_items(session: AsyncSession, customer_id: int, today: date) -> list[DueItem]:
    """Return what a notice to the customer would be about: overdue, not disputed, not blocked."""
    rows = await _DUE.rows(session, customer_id=customer_id, today=today)
    return [DueItem(**row) for row in rows]


async def propose(session: AsyncSession, proposal: Proposal, key: str, at: datetime) -> int:
    """Propose a notice and ask for its approval where one is needed; return its id."""
    approval_id = None
    if proposal.expires_at is not None:
        approval_id = await approvals.request(
            session,
            key=key,
            case_id=proposal.case_id,
            step=approvals.SEND_NOTICE,
            amount=proposal.amount,
            currency=proposal.currency,
            why=proposal.why,
            at=at,
            proposed_by=proposal.proposed_by,
            rule=proposal.rule,
            customer_id=proposal.customer_id,
        )
    notice = DunningNotice(
        customer_id=proposal.customer_id,
        dunning_case_id=proposal.ladder,
        claim_id=proposal.claim_id,
        approval_id=approval_id,
        rule_id=proposal.rule_id,
        rule_version_id=proposal.rule_version_id,
        status="proposed",
        level=proposal.level,
        raises_level=proposal.raises_level,
        channel=proposal.channel,
        template=proposal.template,
        registered_mail=proposal.registered_mail,
        amount=proposal.amount,
        currency=proposal.currency,
        why=proposal.why,
        proposed_at=at,
        proposed_by=proposal.proposed_by,
        expires_at=proposal.expires_at,
    )
    session.add(notice)
    await session.flush()
    for item in proposal.items:
        session.add(
            DunningNoticeItem(
                notice_id=notice.id or 0,
                invoice_id=item.invoice_id,
                due_date=item.due_date,
                proposed_amount=item.open_amount,
                currency=item.currency,
                notices_before=item.notices_before,
            )
        )
    said = f"Notice {notice.id} (level {notice.level}, {notice.amount:.2f} {notice.currency})"
    whose = f"by the rule {proposal.rule!r}" if proposal.rule else f"by {proposal.proposed_by}"
    text = f"{said} proposed {whose}: {proposal.why}"
    history.note(session, proposal.case_id, at, "notice_proposed", text, notice=notice.id)
    if approval_id is None:
        notice.status, notice.decided_at = "approved", at
    await session.flush()
    return notice.id or 0


async def drop(
    session: AsyncSession, case_id: str, notice: DunningNotice, reason: str, at: datetime
) -> None:
    """Drop a notice that has not gone out, and what was asked for it."""
    notice.status, notice.reason = "dropped", reason
    notice.decided_at, notice.decided_by = at, notice.decided_by or history.SYSTEM
    if notice.approval_id is not None:
        await session.exec(
            update(Approval)
            .where(col(Approval.id) == notice.approval_id, col(Approval.status) == "pending")
            .values(status="rejected", decided_by=history.SYSTEM, decided_at=at, reason=reason)
        )
    said = f"Notice {notice.id} was dropped: {reason}"
    history.note(session, case_id, at, "notice_dropped", said, notice=notice.id)
    await session.flush()


async def decided(
    session: AsyncSession,
    approval: Approval,
    *,
    approved: bool,
    by: str,
    reason: str,
    not_before: date | None,
    at: datetime,
) -> None:
    """Carry a person's decision over to the notice that was asked about.

    A rejected one is not proposed again by its rule before ``not_before`` (X13).
    """
    query = select(DunningNotice).where(DunningNotice.approval_id == approval.id).with_for_update()
    notice = (await session.exec(query)).one_or_none()
    if notice is None or notice.status != "proposed":
        return
    notice.decided_at, notice.decided_by, notice.reason = at, by, reason
    if approved:
        notice.status = "approved"
    else:
        notice.not_before = not_before
        await drop(session, approval.case_id, notice, f"rejected: {reason}", at)


async def pending_of(session: AsyncSession, customer_id: int) -> DunningNotice | None:
    """Return the notice that is under way to a customer, locked."""
    query = (
        select(DunningNotice)
        .where(
            DunningNotice.customer_id == customer_id,
            col(DunningNotice.status).in_(("proposed", "approved")),
        )
        .with_for_update()
    )
    return (await session.exec(query)).one_or_none()


async def get(session: AsyncSession, notice_id: int) -> DunningNotice:
    """Return a notice, locked; NotFoundError if there is none."""
    query = select(DunningNotice).where(DunningNotice.id == notice_id).with_for_update()
    notice = (await session.exec(query)).one_or_none()
    if notice is None:
        raise NotFoundError(f"There is no notice {notice_id}; `zahltag notice list` shows them.")
    return notice


async def intend(
    session: AsyncSession,
    notice: DunningNotice,
    items: Sequence[DueItem],
    *,
    amount: Decimal,
    document_id: int,
    on: date,
) -> None:
    """Note what goes out now. With this the customer's day is taken (X6)."""
    notice.rendered_amount, notice.document_id = amount, document_id
    by_invoice = {item.invoice_id: item for item in items}
    query = select(DunningNoticeItem).where(DunningNoticeItem.notice_id == notice.id)
    for row in await session.exec(query):
        item = by_invoice.get(row.invoice_id)
        row.rendered_amount = min(item.open_amount, row.proposed_amount) if item else Decimal(0)
    await session.flush()
    await _TAKE_DAY.run(session, customer_id=notice.customer_id, day=on)


async def sent(
    session: AsyncSession, case_id: str, notice: DunningNotice, *, on: date, at: datetime
) -> None:
    """Note that a notice went out; only now level and counters rise, if it counts (X2, L14)."""
    notice.status, notice.sent_at = "sent", at
    await session.flush()
    if notice.raises_level:
        await _RAISE.run(session, ladder=notice.dunning_case_id, on=on)
    way = "mail" if notice.channel == "email" else "letter"
    said = (
        f"Notice {notice.id} (level {notice.level}, {notice.rendered_amount:.2f}"
        f" {notice.currency}) was sent by {way}"
    )
    history.note(session, case_id, at, "notice_sent", said, notice=notice.id)


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
