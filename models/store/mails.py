"""Outgoing mail: intent, hand-over mark, outcome. What the crash left behind is read from here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.store import history
from models.tables import OutgoingMail

INTENDED = "intended"
HANDING_OVER = "handing_over"
SENT = "sent"
FAILED = "failed"


async def intend(
    session: AsyncSession,
    *,
    key: str,
    case_id: str,
    kind: str,
    recipient: str,
    subject: str,
    message_id: str,
    document_id: int | None,
    at: datetime,
) -> OutgoingMail:
    """Write the intent, or return the one there is. Its commit is the point of no return."""
    statement = (
        insert(OutgoingMail)
        .values(
            key=key,
            case_id=case_id,
            kind=kind,
            recipient=recipient,
            subject=subject,
            message_id=message_id,
            document_id=document_id,
            state=INTENDED,
            attempts=0,
            intended_at=at,
            outcome="",
        )
        .on_conflict_do_nothing()
    )
    await session.exec(statement)
    query = select(OutgoingMail).where(OutgoingMail.key == key).with_for_update()
    mail = (await session.exec(query)).one()
    if mail.state != SENT:  # the address may have been mended since the last attempt
        mail.recipient, mail.subject = recipient, subject
    return mail


async def find(session: AsyncSession, key: str) -> OutgoingMail | None:
    """Return the intent with this key, if there is one."""
    return (await session.exec(select(OutgoingMail).where(OutgoingMail.key == key))).one_or_none()


async def try_guard(session: AsyncSession, key: str) -> bool:
    """Take the right to send this mail until the transaction ends; False if another has it."""
    lock = func.pg_try_advisory_xact_lock(func.hashtextextended(f"mail:{key}", 0))
    return bool((await session.exec(select(lock))).one())


async def mark_handing_over(session: AsyncSession, key: str, at: datetime) -> None:
    """Mark the hand-over, right before the irreversible byte."""
    await session.exec(
        update(OutgoingMail)
        .where(col(OutgoingMail.key) == key)
        .values(state=HANDING_OVER, attempts=col(OutgoingMail.attempts) + 1, handing_over_at=at)
    )


async def settle(session: AsyncSession, key: str, state: str, outcome: str, at: datetime) -> None:
    """Write the outcome; a mail that counts as sent stays sent."""
    statement = (
        update(OutgoingMail)
        .where(col(OutgoingMail.key) == key, col(OutgoingMail.state) != SENT)
        .values(state=state, outcome=outcome, settled_at=at if state == SENT else None)
        .returning(col(OutgoingMail.case_id), col(OutgoingMail.kind))
    )
    changed = (await session.exec(statement)).one_or_none()
    if changed and state in {SENT, FAILED}:
        case_id, kind = changed
        words = f"Mail {kind} was sent" if state == SENT else f"Mail {kind} was not sent: {outcome}"
        history.note(session, case_id, at, f"mail_{state}", words, mail=kind)


async def withdraw(session: AsyncSession, key: str, at: datetime) -> None:
    """Give an intent up that its case no longer asks for; one that may have arrived stays."""
    query = select(OutgoingMail.state).where(OutgoingMail.key == key).with_for_update()
    if (await session.exec(query)).one_or_none() == INTENDED:
        await settle(session, key, FAILED, "the case no longer asks for it", at)
