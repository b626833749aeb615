"""What a notice leaves behind on its way out: intent, outcome, and the ladder that rises with it.

The caller holds the customer's lock. Level and counters rise when a notice was sent (X2).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.calendar import local_date
from domain.dunning.actions import Action
from domain.dunning.rule_file import read_rule
from models.dunning_tables import DunningNotice, DunningNoticeItem, DunningRuleVersion
from models.store import company, history, mails, tasks
from models.store.dunning import notices
from models.store.dunning.notices import DueItem
from models.store.sql import Statement

NOTICE_UNKNOWN = "notice_unknown"

_RAISE = Statement("""
update dunning_case set level = level + 1, notices_count = notices_count + 1,
  last_notice_on = :on
where id = :ladder and ended_at is null
""")
_TAKE_DAY = Statement("""
insert into dunning_claim (customer_id, day, lane, matched)
values (:customer_id, :day, 'step', jsonb_build_object('notice', cast(:notice as bigint)))
on conflict (customer_id, day, lane) do nothing returning id
""")
_HANDED_OVER = Statement("select key, handing_over_at from outgoing_mail where id = :id")


async def take_day(session: AsyncSession, notice: DunningNotice, on: date) -> bool:
    """Take the customer's day for a notice (X6); False if it is taken, whoever has it.

    A run that is just taking it is waited for.
    """
    taken = await _TAKE_DAY.value(session, customer_id=notice.customer_id, day=on, notice=notice.id)
    return taken is not None


async def intend(
    session: AsyncSession,
    notice: DunningNotice,
    items: Sequence[DueItem],
    *,
    amount: Decimal,
    document_id: int,
) -> None:
    """Note what goes out now."""
    notice.rendered_amount, notice.document_id = amount, document_id
    by_invoice = {item.invoice_id: item for item in items}
    query = select(DunningNoticeItem).where(DunningNoticeItem.notice_id == notice.id)
    for row in await session.exec(query):
        item = by_invoice.pop(row.invoice_id, None)
        row.rendered_amount = min(item.open_amount, row.proposed_amount) if item else Decimal(0)
    for item in by_invoice.values():  # overdue since the proposal, within its sum all the same
        session.add(notices.listed(notice, item, rendered=item.open_amount))


async def sent(
    session: AsyncSession, case_id: str, notice: DunningNotice, *, on: date, at: datetime
) -> None:
    """Note that a notice went out; only now level and counters rise, if it counts (X2, L14)."""
    notice.status, notice.sent_at = "sent", at
    await session.flush()
    if notice.raises_level:
        await _RAISE.run(session, ladder=notice.dunning_case_id, on=on)
    way = "mail" if notice.channel == "email" else "letter"
    said = (
        f"Notice {notice.id} (level {notice.level}, {notice.rendered_amount:.2f}"
        f" {notice.currency}) was sent by {way}"
    )
    history.note(session, case_id, at, "notice_sent", said, notice=notice.id)


async def unknown(
    session: AsyncSession, case_id: str, customer_no: str, notice: DunningNotice, at: datetime
) -> None:
    """Note that nobody can say whether a notice went out, and ask a person."""
    notice.status = "unknown"
    await session.flush()
    firm = await company.get(session)
    await tasks.create(
        session,
        key=f"{case_id}:notice_unknown:notice-{notice.id}",
        kind=NOTICE_UNKNOWN,
        title=f"Did notice {notice.id} to customer {customer_no} go out?",
        description="The mail server broke off while it took the mail, and it cannot be asked. Look"
        " into its log or ask the customer. Then mark this task as done with the outcome"
        " sent or not_sent; until then the customer gets no other notice.",
        assignee=tasks.assignee(firm, "accounting"),
        due=local_date(at, firm.time_zone),
        case_id=case_id,
        at=at,
        context={"notice_id": notice.id, "customer_no": customer_no},
    )
    said = f"It is not known whether notice {notice.id} went out"
    history.note(session, case_id, at, "notice_unknown", said, notice=notice.id)


async def clear_up(
    session: AsyncSession, case_id: str, notice_id: int, *, was_sent: bool, by: str, at: datetime
) -> None:
    """Take a person's word for whether an unknown notice went out. The caller holds the lock.

    It went out, if so, on the day on which its mail was handed over.
    """
    notice = await notices.get(session, notice_id)
    if notice.status != "unknown":
        return
    said = f"{by} says that it {'went' if was_sent else 'did not go'} out"
    mail = await _HANDED_OVER.one(session, id=notice.mail_id)
    state = mails.SENT if was_sent else mails.FAILED
    await mails.settle(session, mail["key"], state, said, at)
    if was_sent:
        zone = (await company.get(session)).time_zone
        on = local_date(mail["handing_over_at"], zone)
        await sent(session, case_id, notice, on=on, at=at)
    else:
        await notices.drop(session, case_id, notice, said, at)


async def leave_open(
    session: AsyncSession, case_id: str, customer_id: int, reason: str, at: datetime
) -> None:
    """Ask no more whether a notice went out: the matter is settled. The caller holds the lock.

    Else a doubt of long ago would keep the customer from every later notice.
    """
    query = select(DunningNotice).where(
        DunningNotice.customer_id == customer_id, DunningNotice.status == "unknown"
    )
    for notice in (await session.exec(query.with_for_update(key_share=True))).all():
        said = f"{reason}; nobody has said whether it went out"
        mail = await _HANDED_OVER.one(session, id=notice.mail_id)
        await mails.settle(session, mail["key"], mails.FAILED, said, at)
        await notices.drop(session, case_id, notice, said, at)


async def turn_to_letter(
    session: AsyncSession, case_id: str, notice: DunningNotice, at: datetime
) -> bool:
    """Let a notice whose mail was refused go by letter, if its rule knows letters (K8)."""
    if notice.rule_version_id is None or notice.status != "approved":
        return False
    version = await session.get(DunningRuleVersion, notice.rule_version_id)
    if version is None or read_rule(version.content).action is not Action.EMAIL_OR_LETTER:
        return False
    notice.channel, notice.document_id = "letter", None
    await session.flush()
    said = f"Notice {notice.id} goes by letter: the mail server refused the mail"
    history.note(session, case_id, at, "notice_by_letter", said, notice=notice.id)
    return True
