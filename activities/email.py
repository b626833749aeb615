"""Send a mail exactly once: intent, hand-over mark, the send, outcome.

The commit of the intent is the point of no return. A crash before the hand-over mark sent nothing
for certain; after it the mail connector is asked whether the mail was accepted. Where nobody can
say (a plain SMTP server), invoice and confirmation mails go out again under the same Message-ID.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage

from temporalio import activity

from activities.mail_contents import compose
from activities.services import Services
from connectors.mail import Acceptance, MailNotSentError, MailRefusedError
from domain.errors import RefusedError, TryLaterError
from models.messages import Progress, StepRequest
from models.store import cases, mails
from models.tables import OutgoingMail

BUSY_PAUSE = timedelta(seconds=5)
# The event loop itself does not keep its tasks alive.
_UNDER_WAY: set[asyncio.Task[Progress]] = set()


class NotDeliverableError(RefusedError):
    """The mail server refuses this mail for good: a person has to look at the address."""


@dataclass(frozen=True, slots=True)
class EmailActivities:
    """The activity ``send_email``."""

    services: Services

    @activity.defn(name="send_email")
    async def send_email(self, request: StepRequest) -> Progress:
        """Bring the mail that the plan asks for to the customer, once."""
        # Temporal may give this try up; broken off in the middle of a hand-over it would prove
        # nothing, so it goes on to its end and keeps the next try waiting.
        sending = asyncio.create_task(self._send(request))
        _UNDER_WAY.add(sending)
        sending.add_done_callback(_UNDER_WAY.discard)
        return await asyncio.shield(sending)

    async def _send(self, request: StepRequest) -> Progress:
        async with self.services.database.transaction() as guard:
            # Held while we send: the database frees it with the connection of a dead worker.
            if not await mails.try_guard(guard, request.key):
                raise TryLaterError("another attempt at this mail is under way", BUSY_PAUSE)
            known = await self._known(request.key)
            accepted = known is not None and (
                known.state == mails.SENT or await self._was_accepted(known)
            )
            if not accepted:
                intended = await self._intend(request)
                if isinstance(intended, Progress):
                    return intended
                await self._hand_over(*intended, request.at)
            return await self._settle(request)

    async def _known(self, key: str) -> OutgoingMail | None:
        async with self.services.database.transaction() as session:
            return await mails.find(session, key)

    async def _was_accepted(self, mail: OutgoingMail) -> bool:
        """Ask after a crash in the middle of a hand-over.

        The embedded mailbox knows, if not now then later. Elsewhere not known counts as no: see
        above.
        """
        if mail.state != mails.HANDING_OVER:
            return False
        answer = await self.services.mailer.accepted(mail.message_id)
        if answer is Acceptance.UNKNOWN and self.services.settings.mailbox_dir:
            raise TryLaterError("the mailbox does not say whether it has the mail", BUSY_PAUSE)
        return answer is Acceptance.YES

    async def _intend(self, request: StepRequest) -> tuple[OutgoingMail, EmailMessage] | Progress:
        """Render the mail and write its intent, or find it, in one transaction.

        The settlement barrier: the customer is locked, and if the case has moved on since the mail
        was planned (a payment that came before), there is no mail, only the new plan.
        """
        domain = self.services.settings.mail_domain
        message_id = f"<{hashlib.sha256(request.key.encode()).hexdigest()[:32]}@{domain}>"
        async with self.services.database.transaction() as session:
            await cases.lock_customer(session, request.case_id)
            progress = await cases.look(session, request.case_id, request.at)
            plan = progress.plan
            if (plan.mail, plan.cause) != (request.mail, request.cause):
                await mails.withdraw(session, request.key, request.at)
                return progress
            composed = await compose(session, request, message_id, request.at)
            mail = await mails.intend(
                session,
                key=request.key,
                case_id=request.case_id,
                kind=str(request.mail),
                recipient=composed.recipient,
                subject=str(composed.message["Subject"]),
                message_id=message_id,
                document_id=composed.document_id,
                at=request.at,
            )
            return mail, composed.message

    async def _hand_over(self, mail: OutgoingMail, message: EmailMessage, at: datetime) -> None:
        """Mark the hand-over, then hand over.

        After an earlier hand-over with an unknown outcome a definite failure says nothing about
        that one: the mark stays. The embedded mailbox was asked before, so there it is known.
        """
        doubt = mail.state == mails.HANDING_OVER and not self.services.settings.mailbox_dir
        async with self.services.database.transaction() as session:
            await mails.mark_handing_over(session, mail.key, at)
        try:
            await self.services.mailer.send(message)
        except MailRefusedError as error:
            state = mails.HANDING_OVER if doubt else mails.FAILED
            await self._note(mail.key, state, str(error), at)
            raise NotDeliverableError(f"{str(error).capitalize()}.") from error
        except MailNotSentError as error:
            state = mails.HANDING_OVER if doubt else mails.INTENDED
            await self._note(mail.key, state, str(error), at)
            raise

    async def _note(self, key: str, state: str, outcome: str, at: datetime) -> None:
        async with self.services.database.transaction() as session:
            await mails.settle(session, key, state, outcome, at)

    async def _settle(self, request: StepRequest) -> Progress:
        """Write down that the mail was accepted, and see what comes next."""
        async with self.services.database.transaction() as session:
            await mails.settle(session, request.key, mails.SENT, "accepted", request.at)
            return await cases.refresh(session, request.case_id, request.at)
