"""The hand-over of a mail whose intent is committed, and what became of one that broke off."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from enum import Enum

from sqlmodel.ext.asyncio.session import AsyncSession

from activities.failpoints import reach
from activities.services import Services
from connectors.mail import Acceptance, MailNotSentError, MailRefusedError
from domain.errors import RefusedError, TryLaterError
from models.store import mails
from models.store.database import Connection

BUSY_PAUSE = timedelta(seconds=5)


class Crossed(Enum):
    """What an earlier attempt has left behind: the mail is out, or may be."""

    SENT = "sent"
    UNKNOWN = "unknown"


class NotDeliverableError(RefusedError):
    """The mail server refuses this mail for good: a person has to look at the address."""


def message_id_of(services: Services, key: str) -> str:
    """Return the Message-ID of a mail: the same for ever, so that a second one is the first."""
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"<{name}@{services.settings.mail_domain}>"


async def was_accepted(services: Services, message_id: str) -> bool:
    """Ask after a crash in the middle of a hand-over.

    The embedded mailbox knows, if not now then later. Elsewhere not known counts as no.
    """
    answer = await services.mailer.accepted(message_id)
    if answer is Acceptance.UNKNOWN and services.settings.mailbox_dir:
        raise TryLaterError("the mailbox does not say whether it has the mail", BUSY_PAUSE)
    return answer is Acceptance.YES


async def hand_over(
    services: Services,
    connection: Connection,
    key: str,
    message: EmailMessage,
    at: datetime,
    *,
    doubt: bool,
    on_refusal: Callable[[AsyncSession], Awaitable[None]] | None = None,
) -> None:
    """Hand over what is marked already; a definite failure takes the mark back.

    After an earlier hand-over with an unknown outcome (``doubt``) a definite failure says nothing
    about that one: the mark stays. ``on_refusal`` is done together with the note of a refusal.
    """

    async def note(
        state: str, outcome: str, also: Callable[[AsyncSession], Awaitable[None]] | None = None
    ) -> None:
        async with connection.transaction() as session:
            if also:
                await also(session)
            await mails.settle(session, key, state, outcome, at)

    await reach("after_mark")
    try:
        await services.mailer.send(message)
    except MailRefusedError as error:
        await note(mails.HANDING_OVER if doubt else mails.FAILED, str(error), on_refusal)
        raise NotDeliverableError(f"{str(error).capitalize()}.") from error
    except MailNotSentError as error:
        await note(mails.HANDING_OVER if doubt else mails.INTENDED, str(error))
        raise
    await reach("after_acceptance")
