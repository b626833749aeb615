"""Notices (Mahnschreiben): proposed, approved or dropped, sent. The database lets them go forward.

The caller holds the customer's lock. Level and counters rise when a notice was sent (X2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from models.dunning_tables import DunningNotice, DunningNoticeItem
from models.store import approvals, history
from models.store.sql import Statement
from models.tables import Approval

_DUE = Statement("""
select o.invoice_id, o.invoice_no, i.issue_date, o.due_date, o.open_amount, o.currency,
       coalesce(m.notices_count, 0) + (
         select count(*) from dunning_notice_item x join dunning_notice n on n.id = x.notice_id
         where x.invoice_id = o.invoice_id and n.status = 'sent') as notices_before
from open_item o join invoice i on i.id = o.invoice_id
left join imported_item m on m.invoice_id = o.invoice_id
where o.customer_id = :customer_id and o.open_amount > 0
  and (cast(:every as boolean) or o.due_date < :today)
  and not exists (select from dunning_block b where b.invoice_id = o.invoice_id
    and b.lifted_at is null and b.since <= :today and (b.until is null or b.until >= :today))
order by o.due_date, o.invoice_id
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


async def due_items(
    session: AsyncSession, customer_id: int, today: date, *, every: bool = False
) -> list[DueItem]:
    """Return what a notice to the customer would be about: overdue, not disputed, not blocked.

    ``every``: what is open and not overdue too.
    """
    rows = await _DUE.rows(session, customer_id=customer_id, today=today, every=every)
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
        session.add(listed(notice, item))
    said = f"Notice {notice.id} (level {notice.level}, {notice.amount:.2f} {notice.currency})"
    whose = f"by the rule {proposal.rule!r}" if proposal.rule else f"by {proposal.proposed_by}"
    text = f"{said} proposed {whose}: {proposal.why}"
    history.note(session, proposal.case_id, at, "notice_proposed", text, notice=notice.id)
    if approval_id is None:
        notice.status, notice.decided_at = "approved", at
    await session.flush()
    return notice.id or 0


def listed(
    notice: DunningNotice, item: DueItem, rendered: Decimal | None = None
) -> DunningNoticeItem:
    """Return the row that says what a notice says of an invoice."""
    return DunningNoticeItem(
        notice_id=notice.id or 0,
        invoice_id=item.invoice_id,
        due_date=item.due_date,
        proposed_amount=item.open_amount,
        rendered_amount=rendered,
        currency=item.currency,
        notices_before=item.notices_before,
    )


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


async def unfinished_of(session: AsyncSession, customer_id: int) -> list[DunningNotice]:
    """Return what has not come to its end, locked: under way, or nobody knows whether it is out."""
    query = (
        select(DunningNotice)
        .where(
            DunningNotice.customer_id == customer_id,
            col(DunningNotice.status).in_(("proposed", "approved", "unknown")),
        )
        .order_by(col(DunningNotice.id))
        .with_for_update()
    )
    return list(await session.exec(query))


async def get(session: AsyncSession, notice_id: int) -> DunningNotice:
    """Return a notice, locked; NotFoundError if there is none."""
    query = select(DunningNotice).where(DunningNotice.id == notice_id).with_for_update()
    notice = (await session.exec(query)).one_or_none()
    if notice is None:
        raise NotFoundError(f"There is no notice {notice_id}; `zahltag notice list` shows them.")
    return notice
