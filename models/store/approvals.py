"""Approvals (Freigaben): asked for by a case, decided by a person, once."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import ConflictError, ForbiddenError, NotFoundError
from models.store import history
from models.store.sql import Statement
from models.tables import Approval

ACCEPT_ORDER = "accept_order"
WRITE_OFF = "write_off"
SEND_NOTICE = "send_notice"

# Whoever decides holds the customer, as a dunning case does, before the approval.
_HOLD_CUSTOMERS = Statement("""
select c.id from customer c where c.id in (
  select a.customer_id from approval a where a.rule = :rule and a.status = 'pending')
order by c.id for no key update
""")


async def request(
    session: AsyncSession,
    *,
    key: str,
    case_id: str,
    step: str,
    amount: Decimal,
    currency: str,
    why: str,
    at: datetime,
    proposed_by: str = "",
    rule: str = "",
    customer_id: int | None = None,
) -> int | None:
    """Ask for a decision, once per key; return the new approval's id, None if it was asked before.

    ``proposed_by`` is the person who proposed it, who cannot be the one who approves (four eyes);
    what a rule or the case itself asks for has none.
    """
    statement = (
        insert(Approval)
        .values(
            key=key,
            case_id=case_id,
            customer_id=customer_id,
            step=step,
            amount=amount,
            currency=currency,
            why=why,
            rule=rule,
            proposed_by=proposed_by,
            status="pending",
            requested_at=at,
            decided_by="",
            reason="",
        )
        .on_conflict_do_nothing()
        .returning(col(Approval.id))
    )
    approval_id: int | None = (await session.exec(statement)).scalar_one_or_none()
    if approval_id is not None:
        text = f"Approval {approval_id} asked for: {why}"
        history.note(session, case_id, at, "approval_requested", text, approval=approval_id)
    return approval_id


async def decide(
    session: AsyncSession, approval: Approval, *, approved: bool, by: str, reason: str, at: datetime
) -> bool:
    """Take the decision; False if it was taken so before, ConflictError if it was the other."""
    wanted = "approved" if approved else "rejected"
    if approved and approval.status == "pending" and by == approval.proposed_by:
        raise ForbiddenError(
            f"Approval {approval.id} was proposed by {by}: somebody else has to approve it."
        )
    if approval.status != "pending":
        if approval.status != wanted:
            raise ConflictError(
                f"Approval {approval.id} was {approval.status} by {approval.decided_by} before."
            )
        if not approved and reason != approval.reason:
            raise ConflictError(
                f"Approval {approval.id} was {approval.status} before, for another reason:"
                f" {approval.reason or 'none'}."
            )
        return False
    approval.status, approval.decided_by, approval.reason = wanted, by, reason
    approval.decided_at = at
    said = f": {reason}" if reason else ""
    history.note(
        session, approval.case_id, at, wanted, f"Approval {approval.id} {wanted}{said}", by
    )
    return True


async def case_of(session: AsyncSession, approval_id: int) -> str:
    """Return which case asked for an approval; NotFoundError if there is none."""
    query = select(Approval.case_id).where(Approval.id == approval_id)
    case_id = (await session.exec(query)).one_or_none()
    if case_id is None:
        raise NotFoundError(f"There is no approval {approval_id}.")
    return case_id


async def get(session: AsyncSession, approval_id: int) -> Approval:
    """Return an approval, locked; the caller has locked its case."""
    query = select(Approval).where(Approval.id == approval_id).with_for_update(key_share=True)
    return (await session.exec(query)).one()


async def pending_of(session: AsyncSession, case_id: str) -> Approval | None:
    """Return the approval that a case waits for, locked; the caller has locked the case."""
    query = (
        select(Approval)
        .where(Approval.case_id == case_id, Approval.status == "pending")
        .order_by(col(Approval.id))
        .with_for_update(key_share=True)
    )
    return (await session.exec(query)).first()


async def pending_of_rule(session: AsyncSession, rule: str) -> list[Approval]:
    """Return what a rule has asked for and nobody has decided, locked with its customers.

    What is asked for while we wait for one of them is left for the next time.
    """
    held = [row["id"] for row in await _HOLD_CUSTOMERS.rows(session, rule=rule)]
    query = (
        select(Approval)
        .where(
            Approval.rule == rule,
            Approval.status == "pending",
            col(Approval.customer_id).in_(held),
        )
        .order_by(col(Approval.id))
        .with_for_update(key_share=True)
    )
    return list(await session.exec(query))


async def withdraw_all(session: AsyncSession, case_id: str, at: datetime, reason: str) -> None:
    """Take back what a case still asks for, because it will not happen."""
    await session.exec(
        update(Approval)
        .where(col(Approval.case_id) == case_id, col(Approval.status) == "pending")
        .values(status="rejected", decided_by=history.SYSTEM, decided_at=at, reason=reason)
    )


async def count_of(session: AsyncSession, case_id: str) -> int:
    """Return how many approvals a case has asked for so far."""
    query = select(func.count()).select_from(Approval).where(Approval.case_id == case_id)
    return (await session.exec(query)).one()
