"""A report about a mail of ours: noted in the history of its case."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.bounce import Bounce, BounceAction
from models.store import history
from models.tables import OutgoingMail

_SAID = {
    BounceAction.FAILED: "the mail came back",
    BounceAction.COMPLAINED: "the recipient reported the mail as spam",
    BounceAction.DELAYED: "the mail is delayed on its way",
    BounceAction.DELIVERED: "the mail was delivered",
}


async def note(session: AsyncSession, bounce: Bounce, at: datetime) -> bool:
    """Note what became of a mail; False if no mail of ours has this Message-ID.

    The caller sees to it that a report is noted once (inbox). The server's words may name people:
    they stand in the detail, not in the text.
    """
    query = select(OutgoingMail).where(OutgoingMail.message_id == bounce.message_id)
    mail = (await session.exec(query)).one_or_none()
    if mail is None:
        return False
    history.note(
        session,
        mail.case_id,
        at,
        f"mail_{bounce.action}",
        f"{_SAID[bounce.action]}{f' ({bounce.status})' if bounce.status else ''}",
        mail=mail.kind,
        status=bounce.status,
        diagnostic=bounce.diagnostic,
    )
    return True
