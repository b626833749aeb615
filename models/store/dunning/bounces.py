"""Mails that did not arrive: noted once per event, answered by the dunning case."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.bounce import Bounce, BounceAction
from domain.dunning.actions import Action
from domain.dunning.rule_file import read_rule
from models.dunning_tables import DunningNotice, DunningRuleVersion, MailBounce
from models.store import customers, history
from models.store.dunning.notices import Wish
from models.store.dunning.telling import tell
from models.store.sql import Statement

_SAID = {
    BounceAction.FAILED: "the mail came back",
    BounceAction.COMPLAINED: "the recipient reported the mail as spam",
    BounceAction.DELAYED: "the mail is delayed on its way",
    BounceAction.DELIVERED: "the mail was delivered",
}

_NOTE = Statement("""
insert into mail_bounce (event_id, mail_id, action, status, told_at)
select :event_id, m.id, :action, :status, :at from outgoing_mail m
where m.message_id = :message_id
on conflict (event_id) do nothing returning id
""")
_MAIL = Statement("""
select m.case_id, m.kind, f.customer_id from outgoing_mail m
left join case_file f on f.id = m.case_id and f.kind = 'dunning' where m.message_id = :message_id
""")


async def note(session: AsyncSession, bounce: Bounce, at: datetime) -> bool:
    """Note what became of a mail; False if no mail of ours has this Message-ID.

    A report counts once. The dunning case answers for a notice that did not arrive. The server's
    words may name people: they stand in the detail of the history, not in its text.
    """
    mail = await _MAIL.row(session, message_id=bounce.message_id)
    if mail is None:
        return False
    if mail["customer_id"] is not None:
        await customers.hold(session, mail["customer_id"])
    if bounce.action is not BounceAction.DELIVERED:
        new = await _NOTE.value(
            session,
            event_id=bounce.event_id,
            message_id=bounce.message_id,
            action=bounce.action,
            status=bounce.status,
            at=at,
        )
        if new is None:
            return True
        if mail["customer_id"] is not None:
            await tell(session, mail["customer_id"], at, f"bounce-{new}")
    history.note(
        session,
        mail["case_id"],
        at,
        f"mail_{bounce.action}",
        f"{_SAID[bounce.action]}{f' ({bounce.status})' if bounce.status else ''}",
        mail=mail["kind"],
        status=bounce.status,
        diagnostic=bounce.diagnostic,
    )
    return True


async def notice_of(session: AsyncSession, bounce_id: int) -> DunningNotice:
    """Return the notice whose mail did not arrive."""
    query = (
        select(DunningNotice)
        .join(MailBounce, MailBounce.mail_id == DunningNotice.mail_id)  # type: ignore[arg-type]
        .where(MailBounce.id == bounce_id)
    )
    return (await session.exec(query)).one()


async def by_letter(session: AsyncSession, notice: DunningNotice) -> Wish | None:
    """Return the wish for a letter in place of the mail; None where the rule knows no letters.

    It counts once: the level rose when the mail was sent.
    """
    if notice.rule_version_id is None:
        return None
    version = await session.get(DunningRuleVersion, notice.rule_version_id)
    if version is None:
        return None
    rule = read_rule(version.content)
    if rule.action is not Action.EMAIL_OR_LETTER:
        return None
    return Wish(
        why=f"the mail of notice {notice.id} did not arrive",
        channel="letter",
        raises_level=False,
        template=notice.template,
        registered_mail=rule.registered_mail,
        needs_approval=rule.needs_approval,
        rule=rule.name,
        rule_id=notice.rule_id,
        rule_version_id=notice.rule_version_id,
    )
