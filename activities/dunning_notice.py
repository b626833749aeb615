"""Send a notice exactly once, to nobody who has paid: barrier, hand-over, outcome.

The commit of the intent is the point of no return. Its transaction locks the customer and decides
once more from the facts: a payment that was committed before means that nothing is sent, or less is
asked for. After it the mail server or the print spool is asked what became of an attempt that broke
off. Where nobody can say (a plain SMTP server), a person has to: a notice is never sent twice on a
guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.failpoints import reach
from activities.mail_hand_over import (
    BUSY_PAUSE,
    Crossed,
    NotDeliverableError,
    hand_over,
    message_id_of,
)
from activities.notice_contents import compose, reference_of
from activities.services import Services
from activities.unbroken import unbroken
from activities.waiting import present
from connectors.letters import Letter, LetterRefusedError
from connectors.mail import Acceptance
from domain.dunning.case import Step
from domain.errors import TryLaterError
from models.dunning_tables import DunningNotice
from models.messages import DunningProgress, StepRequest
from models.store import customers, mails
from models.store.database import Connection
from models.store.dunning import cases, notices, sending
from models.store.dunning.telling import customer_no_of
from models.store.repetition import found_done
from models.tables import Customer


@dataclass(frozen=True, slots=True)
class NoticeActivities:
    """The activity ``send_notice``."""

    services: Services

    @activity.defn(name="send_notice")
    async def send_notice(self, request: StepRequest) -> DunningProgress:
        """Bring the notice that is due and approved to the customer, once."""
        return await unbroken(self._send(request))

    async def _send(self, request: StepRequest) -> DunningProgress:
        request = request.model_copy(update={"at": present(request.at)})
        # Held while we send: the database frees it with the connection of a dead worker.
        async with self.services.database.alone(f"mail:{request.key}") as connection:
            if connection is None:
                raise TryLaterError("another attempt at this notice is under way", BUSY_PAUSE)
            return await self._deliver(connection, request)

    async def _deliver(self, connection: Connection, request: StepRequest) -> DunningProgress:
        intended = await self._intend(connection, request)
        if intended is Crossed.UNKNOWN:
            answer = await self._was_accepted(connection, request)
            if answer is Acceptance.UNKNOWN:
                return await self._leave_to_a_person(connection, request)
            if answer is Acceptance.NO:
                intended = await self._intend(connection, request, again=True)
        if isinstance(intended, DunningProgress):
            return intended
        if isinstance(intended, EmailMessage):
            if not await self._mail(connection, request, intended):
                return await self._deliver(connection, request)  # by letter now
        elif isinstance(intended, Letter):
            await self._post(intended)
        else:
            found_done(request.key)
        return await self._settle(connection, request)

    # Before the point of no return --------------------------------------------------------------

    async def _intend(
        self, connection: Connection, request: StepRequest, *, again: bool = False
    ) -> EmailMessage | Letter | DunningProgress | Crossed:
        """Commit the intent, unless the facts no longer ask for it: the settlement barrier.

        What an earlier attempt may have handed over is left alone, unless ``again``.
        """
        async with connection.transaction() as session:
            customer, notice = await _locked(session, request)
            crossed = await _crossed(session, request, notice)
            if crossed is Crossed.SENT or (crossed and not again):
                return crossed
            made_before = notice.document_id
            if crossed:
                await _take_back(session, request, notice)
            progress = await _refresh(session, request)
            on = await cases.today(session, request.at)
            if _asks(progress, request) and not await sending.take_day(session, notice, on):
                # This notice has it already, or a run that was just taking it: the facts know.
                progress = await _refresh(session, request)
            if not _asks(progress, request):
                if notice.channel == "email":
                    given_up = "the case no longer asks for it"
                    await mails.settle(session, request.key, mails.FAILED, given_up, request.at)
                return progress
            made = await compose(
                session,
                customer,
                notice,
                case_id=request.case_id,
                message_id=message_id_of(self.services, request.key),
                made_before=made_before,
                templates=self.services.settings.templates_dir,
                at=request.at,
                on=on,
            )
            await sending.intend(
                session,
                notice,
                made.items,
                amount=made.amount,
                document_id=made.document_id,
            )
            if isinstance(made.finished, Letter):
                return made.finished
            await mails.hand_over(
                session,
                key=request.key,
                case_id=request.case_id,
                kind=made.kind,
                recipient=customer.email,
                subject=str(made.finished["Subject"]),
                message_id=message_id_of(self.services, request.key),
                document_id=made.document_id,
                at=request.at,
            )
            return made.finished

    # After it -----------------------------------------------------------------------------------

    async def _was_accepted(self, connection: Connection, request: StepRequest) -> Acceptance:
        """Ask after a crash in the middle of a hand-over; who will know later is asked later."""
        async with connection.transaction() as session:
            notice = await notices.get(session, _id(request))
        if notice.channel == "letter":
            answer = await self.services.letters.accepted(reference_of(notice.id or 0))
            knows = True
        else:
            answer = await self.services.mailer.accepted(message_id_of(self.services, request.key))
            knows = bool(self.services.settings.mailbox_dir)
        if answer is Acceptance.UNKNOWN and knows:
            raise TryLaterError("it is not known yet whether the notice was taken", BUSY_PAUSE)
        return answer

    async def _mail(
        self, connection: Connection, request: StepRequest, message: EmailMessage
    ) -> bool:
        """Hand a mail over that is marked already; False if it goes by letter instead."""
        by_letter = False

        async def turn_to_letter(session: AsyncSession) -> None:
            nonlocal by_letter
            _, notice = await _locked(session, request)
            by_letter = await sending.turn_to_letter(session, request.case_id, notice, request.at)

        try:
            await hand_over(
                self.services,
                connection,
                request.key,
                message,
                request.at,
                doubt=False,
                on_refusal=turn_to_letter,
            )
        except NotDeliverableError:
            if not by_letter:
                raise
        return not by_letter

    async def _post(self, letter: Letter) -> None:
        await reach("after_mark")
        try:
            await self.services.letters.send(letter)
        except LetterRefusedError as error:
            raise NotDeliverableError(f"{str(error).capitalize()}.") from error
        await reach("after_acceptance")

    async def _settle(self, connection: Connection, request: StepRequest) -> DunningProgress:
        """Note that it went out; level and counters rise with this."""
        async with connection.transaction() as session:
            _, notice = await _locked(session, request)
            if notice.status == "approved":
                if notice.channel == "email":
                    await mails.settle(session, request.key, mails.SENT, "accepted", request.at)
                    notice.mail_id = await mails.id_of(session, request.key)
                on = await cases.today(session, request.at)
                await sending.sent(session, request.case_id, notice, on=on, at=request.at)
            return await _refresh(session, request)

    async def _leave_to_a_person(
        self, connection: Connection, request: StepRequest
    ) -> DunningProgress:
        """Nobody can say whether it went out: it is never sent again on a guess."""
        async with connection.transaction() as session:
            customer, notice = await _locked(session, request)
            if notice.status == "approved":
                notice.mail_id = await mails.id_of(session, request.key)
                await sending.unknown(
                    session, request.case_id, customer.customer_no, notice, request.at
                )
            return await _refresh(session, request)


async def _locked(session: AsyncSession, request: StepRequest) -> tuple[Customer, DunningNotice]:
    customer = await customers.locked(session, customer_no_of(request.case_id))
    return customer, await notices.get(session, _id(request))


async def _crossed(
    session: AsyncSession, request: StepRequest, notice: DunningNotice
) -> Crossed | None:
    """Return what an earlier attempt has left behind."""
    if notice.status in {"sent", "withdrawn"}:
        return Crossed.SENT
    if notice.channel == "letter":
        return Crossed.UNKNOWN if notice.document_id is not None else None
    state = await mails.state_of(session, request.key)
    found = {mails.SENT: Crossed.SENT, mails.HANDING_OVER: Crossed.UNKNOWN}
    return found.get(state)


async def _take_back(session: AsyncSession, request: StepRequest, notice: DunningNotice) -> None:
    """Take the mark of an attempt back that certainly did not arrive."""
    if notice.channel == "letter":
        notice.document_id = None
        await session.flush()
    else:
        did_not = "an attempt that broke off did not arrive"
        await mails.settle(session, request.key, mails.INTENDED, did_not, request.at)


def _asks(progress: DunningProgress, request: StepRequest) -> bool:
    """Whether the plan is still to send this notice."""
    return (progress.plan.step, progress.plan.cause) == (Step.SEND_NOTICE, request.cause)


async def _refresh(session: AsyncSession, request: StepRequest) -> DunningProgress:
    number = customer_no_of(request.case_id)
    return await cases.refresh(session, request.case_id, number, request.at)


def _id(request: StepRequest) -> int:
    return int(request.cause.removeprefix("notice-"))
