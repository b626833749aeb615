"""Send a mail exactly once: intent and hand-over mark, the send, outcome.

The commit of the intent is the point of no return. The mail is made by then, so it bears the mark
of its hand-over at once. A crash before it sent nothing for certain; after it the mail connector is
asked whether the mail was accepted. Where nobody can say (a plain SMTP server), invoice and
confirmation mails go out again under the same Message-ID.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage

import structlog
from temporalio import activity

from activities import following
from activities.following import NotAlongError, Refresh, refresh_alone
from activities.mail_contents import compose
from activities.mail_hand_over import (
    BUSY_PAUSE,
    Crossed,
    NotDeliverableError,
    hand_over,
    message_id_of,
    was_accepted,
)
from activities.services import Services
from activities.unbroken import unbroken
from domain.errors import TryLaterError
from models.messages import Progress, StepRequest
from models.store import cases, mails
from models.store.database import Connection
from models.store.repetition import found_done

__all__ = ["BUSY_PAUSE", "Crossed", "EmailActivities", "NotDeliverableError"]

log = structlog.get_logger("worker")


@dataclass(frozen=True, slots=True)
class EmailActivities:
    """The activity ``send_email``."""

    services: Services

    @activity.defn(name="send_email")
    async def send_email(self, request: StepRequest) -> Progress:
        """Bring the mail that the plan asks for to the customer, once."""
        return await unbroken(self._send(request))

    async def _send(self, request: StepRequest) -> Progress:
        # Held while we send: the database frees it with the connection of a dead worker.
        async with self.services.database.alone(f"mail:{request.key}") as connection:
            if connection is None:
                raise TryLaterError("another attempt at this mail is under way", BUSY_PAUSE)
            message_id = message_id_of(self.services, request.key)
            intended, doubt = await self._intend(connection, request, message_id), False
            if intended is Crossed.UNKNOWN and not await was_accepted(self.services, message_id):
                intended = await self._intend(connection, request, message_id, again=True)
                doubt = not self.services.settings.mailbox_dir  # the embedded mailbox knows
            if isinstance(intended, Progress):
                return intended
            if isinstance(intended, EmailMessage):
                await hand_over(
                    self.services, connection, request.key, intended, request.at, doubt=doubt
                )
            else:
                found_done(request.key)
            if self.services.together:
                try:
                    return await self._settle(connection, request, following.refresh)
                except NotAlongError as error:
                    why = type(error.__cause__).__name__
                    log.warning("goes on step by step", effect=str(error), error=why)
            return await self._settle(connection, request, refresh_alone)

    async def _settle(
        self, connection: Connection, request: StepRequest, refresh: Refresh
    ) -> Progress:
        async with connection.transaction() as session:
            await mails.settle(session, request.key, mails.SENT, "accepted", request.at)
            return await refresh(session, request)

    async def _intend(
        self, connection: Connection, request: StepRequest, message_id: str, *, again: bool = False
    ) -> EmailMessage | Progress | Crossed:
        """Make the mail and commit its intent with the hand-over mark; the next byte is the mail's.

        The settlement barrier: the customer is locked, and if the case has moved on since the mail
        was planned (a payment that came before), there is no mail, only the new plan. A mail that
        an earlier attempt may have handed over is left alone, unless ``again``.
        """
        async with connection.transaction() as session:
            to = await mails.addressee(session, request.case_id, request.key)
            if to.state == mails.SENT:
                return Crossed.SENT
            if to.state == mails.HANDING_OVER and not again:
                return Crossed.UNKNOWN
            progress = await cases.look(session, request.case_id, request.at)
            plan = progress.plan
            if (plan.mail, plan.cause) != (request.mail, request.cause):
                if to.state == mails.INTENDED:
                    given_up = "the case no longer asks for it"
                    await mails.settle(session, request.key, mails.FAILED, given_up, request.at)
                return progress
            message, document_id = await compose(session, request, to, message_id)
            await mails.hand_over(
                session,
                key=request.key,
                case_id=request.case_id,
                kind=str(request.mail),
                recipient=to.email,
                subject=str(message["Subject"]),
                message_id=message_id,
                document_id=document_id,
                at=request.at,
            )
            return message
