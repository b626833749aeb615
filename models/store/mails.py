"""Outgoing mail: its intent, marked as handed over, and its outcome. After a crash both tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import RefusedError
from models.store import company, history
from models.store.sql import Statement

INTENDED = "intended"
HANDING_OVER = "handing_over"
SENT = "sent"
FAILED = "failed"

_ADDRESSEE = Statement("""
select c.email, c.customer_no, cast(y.profile as text) as profile, coalesce(m.state, '') as state
from sales_order o join customer c on c.id = o.customer_id left join company y on true
left join outgoing_mail m on m.key = :key
where o.case_id = :case_id for no key update of c
""")
_HAND_OVER = Statement("""
insert into outgoing_mail as m (key, case_id, kind, recipient, subject, message_id, document_id,
    state, attempts, intended_at, handing_over_at, outcome)
  values (:key, :case_id, :kind, :recipient, :subject, :message_id, :document_id, 'handing_over',
    1, :at, :at, '')
on conflict (key) do update set recipient = excluded.recipient, subject = excluded.subject,
  state = excluded.state, attempts = m.attempts + 1, handing_over_at = excluded.handing_over_at
where m.state <> 'sent'
""")
_SETTLE = Statement("""
update outgoing_mail set state = :state, outcome = :outcome, settled_at = :settled_at
where key = :key and state <> 'sent' returning case_id, kind
""")
_STATE = Statement("select state from outgoing_mail where key = :key")
_ID = Statement("select id from outgoing_mail where key = :key")


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who gets a mail and who writes it; ``state`` is how far this mail has come, ``""`` if new."""

    email: str
    customer_no: str
    company: Company
    state: str


async def addressee(session: AsyncSession, case_id: str, key: str) -> Addressee:
    """Lock the case's customer (the settlement barrier), and return whom the mail is for."""
    row = await _ADDRESSEE.row(session, case_id=case_id, key=key)
    if row is None:
        raise RefusedError(f"The order of case {case_id} was not checked yet.")
    return Addressee(row["email"], row["customer_no"], company.of(row["profile"]), row["state"])


async def state_of(session: AsyncSession, key: str) -> str:
    """Return how far a mail has come; ``""`` if nothing is known of it."""
    return await _STATE.value(session, key=key) or ""


async def id_of(session: AsyncSession, key: str) -> int | None:
    """Return a mail's id, None if there is none."""
    found: int | None = await _ID.value(session, key=key)
    return found


async def hand_over(
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
) -> None:
    """Write the intent with its hand-over mark. Its commit is the point of no return.

    The mail is made by now, and nothing stands between this commit and the mail server. What was
    intended before and not sent is marked anew: the address may have been mended since.
    """
    await _HAND_OVER.run(
        session,
        key=key,
        case_id=case_id,
        kind=kind,
        recipient=recipient,
        subject=subject,
        message_id=message_id,
        document_id=document_id,
        at=at,
    )


async def settle(session: AsyncSession, key: str, state: str, outcome: str, at: datetime) -> None:
    """Write the outcome; a mail that counts as sent stays sent."""
    settled_at = at if state == SENT else None
    changed = await _SETTLE.row(
        session, key=key, state=state, outcome=outcome, settled_at=settled_at
    )
    if changed and state in {SENT, FAILED}:
        kind = changed["kind"]
        words = f"Mail {kind} was sent" if state == SENT else f"Mail {kind} was not sent: {outcome}"
        history.note(session, changed["case_id"], at, f"mail_{state}", words, mail=kind)
