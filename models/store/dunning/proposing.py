"""Proposes a notice: what is due is read, the level found, the approval asked for.

A rule's claim proposes, a person does, or an earlier notice that has to be proposed anew. The
caller holds the customer's lock.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.dunning.actions import TRAITS, Action
from domain.dunning.ladder import template_of
from domain.dunning.notice import INSTALMENT_REMINDER
from models.dunning_tables import DunningNotice
from models.store import company
from models.store.dunning import ladders, notice_lists, notices, reminders
from models.store.dunning.claims import Claim
from models.store.dunning.notices import DueItem, Proposal, Wish
from models.store.sql import Statement
from models.tables import Customer

_DEBT = Statement("""
select coalesce(sum(open_amount), 0) from open_item
where customer_id = :customer_id and currency = :currency and open_amount > 0
""")


def of_claim(claim: Claim, level: int) -> Wish:
    """Return what a rule wants to send to a customer whom its run took."""
    rule = claim.rule
    reminds = rule.action is Action.INSTALMENT_REMINDER
    channels = {Action.EMAIL: "email", Action.LETTER: "letter"}
    return Wish(
        why=claim.why(level),
        channel=channels.get(rule.action, "email_or_letter"),
        raises_level=TRAITS[rule.action].raises_level,
        template=rule.template or (INSTALMENT_REMINDER if reminds else None),
        registered_mail=rule.registered_mail,
        needs_approval=rule.needs_approval,
        rule=rule.name,
        rule_id=claim.rule_id,
        rule_version_id=claim.version_id,
        claim_id=claim.id,
    )


async def again(session: AsyncSession, old: DunningNotice, why: str) -> Wish:
    """Return the wish of a notice that was dropped to be proposed anew; its claim moves over."""
    claim_id, old.claim_id = old.claim_id, None
    await session.flush()
    listed = await notice_lists.show(session, old.id or 0)
    of_level = template_of(old.level) if old.raises_level else None
    return Wish(
        why=why,
        channel=old.channel,
        raises_level=old.raises_level,
        template=None if old.template == of_level else old.template,
        registered_mail=old.registered_mail,
        needs_approval=old.approval_id is not None,
        rule=listed["rule"],
        rule_id=old.rule_id,
        rule_version_id=old.rule_version_id,
        claim_id=claim_id,
        proposed_by=old.proposed_by,
    )


async def propose(
    session: AsyncSession, customer: Customer, wish: Wish, *, case_id: str, key: str, at: datetime
) -> int | None:
    """Propose the notice; return its id, or None where nothing is due that it could be about."""
    firm = await company.get(session)
    zone = ZoneInfo(firm.time_zone)
    today = at.astimezone(zone).date()
    customer_id = customer.id or 0
    if wish.on_agreed_date:
        items: list[DueItem] = []
        amount, currency = await _agreed(session, customer_id, today, firm.currency)
    else:
        due = await notices.due_items(session, customer_id, today)
        currency = _currency(due, firm)
        items = [item for item in due if item.currency == currency]
        amount = sum((item.open_amount for item in items), Decimal(0))
    if amount <= 0:
        return None
    level = await ladders.level(session, customer_id) + int(wish.raises_level)
    proposal = Proposal(
        customer_id=customer_id,
        case_id=case_id,
        ladder=await ladders.current(session, customer_id, at),
        level=level,
        channel=_channel(wish.channel, customer),
        template=wish.template or template_of(max(level, 1)),
        amount=amount,
        currency=currency,
        wish=wish,
        items=tuple(items),
        expires_at=_expiry(at, firm, zone) if wish.needs_approval else None,
    )
    return await notices.propose(session, proposal, key, at)


def _currency(due: list[DueItem], firm: Company) -> str:
    """A notice has one currency: the company's if anything is due in it, else the oldest's."""
    known = [item.currency for item in due]
    return firm.currency if firm.currency in known or not known else known[0]


def _channel(wanted: str, customer: Customer) -> str:
    if wanted == "email_or_letter":
        return "email" if customer.email else "letter"
    return wanted


def _expiry(at: datetime, firm: Company, zone: ZoneInfo) -> datetime:
    """Return the beginning of the local day on which the approval is no longer waited for."""
    last = at.astimezone(zone).date() + timedelta(days=firm.approval_days)
    return datetime.combine(last, time(), zone)


async def _agreed(
    session: AsyncSession, customer_id: int, today: date, currency: str
) -> tuple[Decimal, str]:
    """Return what was agreed to be paid by now; without a sum it is all that is owed."""
    payments, agreed_in = await reminders.agreed(session, customer_id, today)
    if not payments:
        return Decimal(0), currency
    debt: Decimal = await _DEBT.value(session, customer_id=customer_id, currency=agreed_in)
    if any(each.amount is None for each in payments):
        return debt, agreed_in
    return min(debt, sum((each.amount or Decimal(0) for each in payments), Decimal(0))), agreed_in
