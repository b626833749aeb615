"""Send a mail exactly once: intent and hand-over mark, the send, outcome.

The commit of the intent is the point of no return. The mail is made by then, so it bears the mark
of its hand-over at once. A crash before it sent nothing for certain; after it the mail connector is
asked whether the mail was accepted. Where nobody can say (a plain SMTP server), invoice and
confirmation mails go out again under the same Message-ID.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from enum import Enum

import structlog
from temporalio import activity

from activities import following, metrics
from activities.failpoints import reach
from activities.following import NotAlongError, Refresh, refresh_alone
from activities.mail_contents import compose
from activities.services import Services
from connectors.mail import Acceptance, MailNotSentError, MailRefusedError
from domain.errors import RefusedError, TryLaterError
from domain.order_case import Step
from models.messages import Progress, StepRequest
from models.store import cases, mails
from models.store.database import Connection
from models.store.repetition import found_done

log = structlog.get_logger("worker")

BUSY_PAUSE = timedelta(seconds=5)
# Seconds for a mail that is tried along with another step.
AT_ONCE = 10.0
# The event loop itself does not keep its tasks alive.
_UNDER_WAY: set[asyncio.Task[Progress]] = set()


class Crossed(Enum):
    """What an earlier attempt has left behind: the mail is out, or may be."""

    SENT = "sent"
    UNKNOWN = "unknown"


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

    async def try_along(self, progress: Progress, request: StepRequest) -> Progress:
        """Try the mail that ``progress`` plans along with the step before; return what stands then.

        One that does not leave at once stays planned: the workflow sends it as a step of its own,
        with all the patience of one, and operators see it.
        """
        mail, outcome = StepRequest.of(request.case_id, progress.plan, request.at), "failed"
        try:
            async with asyncio.timeout(AT_ONCE):
                progress = await self.send_email(mail)
            outcome = "done"
        except Exception as error:  # noqa: BLE001 - the step before it succeeded, and says so
            why = type(error).__name__
            log.warning("a mail did not leave at once", case=request.case_id, error=why)
        metrics.brought_along(Step.SEND_EMAIL, outcome)
        return progress

    async def _send(self, request: StepRequest) -> Progress:
        # Held while we send: the database frees it with the connection of a dead worker.
        async with self.services.database.alone(f"mail:{request.key}") as connection:
            if connection is None:
                raise TryLaterError("another attempt at this mail is under way", BUSY_PAUSE)
            message_id = self._message_id(request)
            intended, doubt = await self._intend(connection, request, message_id), False
            if intended is Crossed.UNKNOWN and not await self._was_accepted(message_id):
                intended = await self._intend(connection, request, message_id, again=True)
                doubt = not self.services.settings.mailbox_dir  # the embedded mailbox knows
            if isinstance(intended, Progress):
                return intended
            if isinstance(intended, EmailMessage):
                await self._hand_over(connection, request, intended, doubt=doubt)
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

    def _message_id(self, request: StepRequest) -> str:
        name = hashlib.sha256(request.key.encode()).hexdigest()[:32]
        return f"<{name}@{self.services.settings.mail_domain}>"

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

    async def _was_accepted(self, message_id: str) -> bool:
        """Ask after a crash in the middle of a hand-over.

        The embedded mailbox knows, if not now then later. Elsewhere not known counts as no: see
        above.
        """
        answer = await self.services.mailer.accepted(message_id)
        if answer is Acceptance.UNKNOWN and self.services.settings.mailbox_dir:
            raise TryLaterError("the mailbox does not say whether it has the mail", BUSY_PAUSE)
        return answer is Acceptance.YES

    async def _hand_over(
        self, connection: Connection, request: StepRequest, message: EmailMessage, *, doubt: bool
    ) -> None:
        """Hand over what is marked already; a definite failure takes the mark back.

        After an earlier hand-over with an unknown outcome (``doubt``) a definite failure says
        nothing about that one: the mark stays.
        """
        await reach("after_mark")
        try:
            await self.services.mailer.send(message)
        except MailRefusedError as error:
            state = mails.HANDING_OVER if doubt else mails.FAILED
            await self._note(connection, request, state, str(error))
            raise NotDeliverableError(f"{str(error).capitalize()}.") from error
        except MailNotSentError as error:
            state = mails.HANDING_OVER if doubt else mails.INTENDED
            await self._note(connection, request, state, str(error))
            raise
        await reach("after_acceptance")

    async def _note(
        self, connection: Connection, request: StepRequest, state: str, outcome: str
    ) -> None:
        async with connection.transaction() as session:
            await mails.settle(session, request.key, state, outcome, request.at)
