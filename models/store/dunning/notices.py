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

from domain.dunning.notice import INSTALMENT_REMINDER
from domain.errors import NotFoundError
from models.dunning_tables import DunningNotice, DunningNoticeItem
from models.store import approvals, history
from models.store.dunning.facts import HOLDS_TODAY
from models.store.sql import Statement
from models.tables import Approval

_DUE = Statement(f"""
select o.invoice_id, o.invoice_no, i.issue_date, o.due_date, o.open_amount, o.currency,
       coalesce(m.notices_count, 0) + (
         select count(*) from dunning_notice_item x join dunning_notice n on n.id = x.notice_id
         where x.invoice_id = o.invoice_id and n.status = 'sent') as notices_before
from open_item o join invoice i on i.id = o.invoice_id
left join imported_item m on m.invoice_id = o.invoice_id
where o.customer_id = :customer_id and o.open_amount > 0
  and (cast(:every as boolean) or o.due_date < :today)
  and not exists (select from dunning_block b where b.invoice_id = o.invoice_id and {HOLDS_TODAY})
order by o.due_date, o.invoice_id
""")  # noqa: S608 - text of our own


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
class Wish:
    """Which notice is wanted, and by whom; ``template`` None means that of the level.

    ``channel`` is ``email``, ``letter`` or ``email_or_letter`` (K8). A rule's wish names the rule
    and its version, a person's the person.
    """

    why: str
    channel: str
    raises_level: bool = True
    template: str | None = None
    registered_mail: bool = False
    needs_approval: bool = True
    rule: str = ""
    rule_id: int | None = None
    rule_version_id: int | None = None
    claim_id: int | None = None
    proposed_by: str = ""

    @property
    def on_agreed_date(self) -> bool:
        """Whether it reminds of an agreed date instead of what is overdue (K4)."""
        return self.template == INSTALMENT_REMINDER and not self.raises_level


@dataclass(frozen=True, slots=True)
class Proposal:
    """A notice as it is proposed: the wish, and what it comes to today.

    ``amount`` is the most that may go out under it (X13). ``expires_at`` is set where a person has
    to approve it.
    """

    customer_id: int
    case_id: str
    ladder: int
    level: int
    channel: str
    template: str
    amount: Decimal
    currency: str
    wish: Wish
    items: tuple[DueItem, ...] = ()
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
    wish, approval_id = proposal.wish, None
    if proposal.expires_at is not None:
        approval_id = await approvals.request(
            session,
            key=key,
            case_id=proposal.case_id,
            step=approvals.SEND_NOTICE,
            amount=proposal.amount,
            currency=proposal.currency,
            why=wish.why,
            at=at,
            proposed_by=wish.proposed_by,
            rule=wish.rule,
            customer_id=proposal.customer_id,
        )
    notice = DunningNotice(
        customer_id=proposal.customer_id,
        dunning_case_id=proposal.ladder,
        claim_id=wish.claim_id,
        approval_id=approval_id,
        rule_id=wish.rule_id,
        rule_version_id=wish.rule_version_id,
        status="proposed",
        level=proposal.level,
        raises_level=wish.raises_level,
        channel=proposal.channel,
        template=proposal.template,
        registered_mail=wish.registered_mail,
        amount=proposal.amount,
        currency=proposal.currency,
        why=wish.why,
        proposed_at=at,
        proposed_by=wish.proposed_by,
        expires_at=proposal.expires_at,
    )
    session.add(notice)
    await session.flush()
    for item in proposal.items:
        session.add(listed(notice, item))
    said = f"Notice {notice.id} (level {notice.level}, {notice.amount:.2f} {notice.currency})"
    whose = f"by the rule {wish.rule!r}" if wish.rule else f"by {wish.proposed_by}"
    text = f"{said} proposed {whose}: {wish.why}"
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
    query = (
        select(DunningNotice)
        .where(DunningNotice.approval_id == approval.id)
        .with_for_update(key_share=True)
    )
    notice = (await session.exec(query)).one_or_none()
    if notice is None or notice.status != "proposed":
        return
    notice.decided_at, notice.decided_by, notice.reason = at, by, reason
    if approved:
        notice.status = "approved"
    else:
        notice.not_before = not_before
        await drop(session, approval.case_id, notice, f"rejected: {reason}", at)


async def not_before_of(session: AsyncSession, approval: Approval) -> date | None:
    """Return from which day a rejected notice may be proposed again."""
    query = select(DunningNotice).where(DunningNotice.approval_id == approval.id)
    notice = (await session.exec(query)).one_or_none()
    return notice.not_before if notice else None


async def pending_of(session: AsyncSession, customer_id: int) -> DunningNotice | None:
    """Return the notice that is under way to a customer, locked."""
    query = (
        select(DunningNotice)
        .where(
            DunningNotice.customer_id == customer_id,
            col(DunningNotice.status).in_(("proposed", "approved")),
        )
        .with_for_update(key_share=True)
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
        .with_for_update(key_share=True)
    )
    return list(await session.exec(query))


async def get(session: AsyncSession, notice_id: int) -> DunningNotice:
    """Return a notice, locked; NotFoundError if there is none."""
    query = (
        select(DunningNotice).where(DunningNotice.id == notice_id).with_for_update(key_share=True)
    )
    notice = (await session.exec(query)).one_or_none()
    if notice is None:
        raise NotFoundError(f"There is no notice {notice_id}; `zahltag notice list` shows them.")
    return notice
