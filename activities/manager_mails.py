"""Tell account managers of the customers that a run hands to them (K6): one mail each (X15)."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage

from temporalio import activity

from activities.mail_hand_over import (
    BUSY_PAUSE,
    Crossed,
    hand_over,
    message_id_of,
    was_accepted,
)
from activities.services import Services
from activities.unbroken import unbroken
from documents.mail_message import build_message
from documents.manager_mail import KIND, HandedOver, ManagerMail, render_manager_mail
from domain.errors import TryLaterError
from models.run_messages import Groups, ManagerMailRequest, RunRequest
from models.store import mails
from models.store.database import Connection
from models.store.dunning import manager_news
from models.store.dunning.manager_news import News
from models.store.repetition import found_done


@dataclass(frozen=True, slots=True)
class ManagerMailActivities:
    """The activities ``group_managers`` and ``tell_manager``."""

    services: Services

    @activity.defn(name="group_managers")
    async def group_managers(self, request: RunRequest) -> Groups:
        """Fix once who is told of whom; customers without a manager become a task."""
        async with self.services.database.transaction() as session:
            count = await manager_news.group(session, request.run_id, request.key, request.at)
        return Groups(mails=count)

    @activity.defn(name="tell_manager")
    async def tell_manager(self, request: ManagerMailRequest) -> bool:
        """Send one account manager's mail, once; False if there is nothing left to tell."""
        return await unbroken(self._send(request))

    async def _send(self, request: ManagerMailRequest) -> bool:
        services, key, at = self.services, request.mail_key, request.at
        async with services.database.alone(f"mail:{key}") as connection:
            if connection is None:
                raise TryLaterError("another attempt at this mail is under way", BUSY_PAUSE)
            message_id = message_id_of(services, key)
            intended, doubt = await self._intend(connection, request, message_id), False
            if intended is Crossed.UNKNOWN and not await was_accepted(services, message_id):
                intended = await self._intend(connection, request, message_id, again=True)
                doubt = not services.settings.mailbox_dir  # the embedded mailbox knows
            if intended is None:  # nobody owes anything any more
                return False
            if isinstance(intended, EmailMessage):
                await hand_over(services, connection, key, intended, at, doubt=doubt)
            else:
                found_done(key)
            async with connection.transaction() as session:
                await mails.settle(session, key, mails.SENT, "accepted", at)
        return True

    async def _intend(
        self,
        connection: Connection,
        request: ManagerMailRequest,
        message_id: str,
        *,
        again: bool = False,
    ) -> EmailMessage | Crossed | None:
        """Make the mail from what is owed now, and commit its intent with the hand-over mark.

        It is for our own people and holds sums that are out of date tomorrow: no barrier is needed.
        """
        async with connection.transaction() as session:
            state = await mails.state_of(session, request.mail_key)
            if state == mails.SENT:
                return Crossed.SENT
            if state == mails.HANDING_OVER and not again:
                return Crossed.UNKNOWN
            news = await manager_news.news(
                session, request.run_id, request.key, request.number, request.at
            )
            if not news.debtors:
                return None
            case_id = f"rule-{news.run.rule_id}"
            message = _message(news, request, case_id, message_id)
            await mails.hand_over(
                session,
                key=request.mail_key,
                case_id=case_id,
                kind=KIND,
                recipient=news.email,
                subject=str(message["Subject"]),
                message_id=message_id,
                document_id=None,
                at=request.at,
            )
            return message


def _message(
    news: News, request: ManagerMailRequest, case_id: str, message_id: str
) -> EmailMessage:
    firm = news.company
    customers = tuple(
        HandedOver(
            customer_no=debtor.customer_no,
            name=debtor.name,
            debt=debtor.debt,
            overdue=debtor.overdue,
            oldest_overdue_days=debtor.oldest_overdue_days,
            level=debtor.level,
        )
        for debtor in news.debtors
    )
    rule = news.run.rule.name
    content = render_manager_mail(ManagerMail(firm, news.manager, rule, news.day, customers))
    return build_message(
        content,
        sender=firm.email,
        sender_name=firm.name,
        to=news.email,
        message_id=message_id,
        case_id=case_id,
        date=request.at,
    )
