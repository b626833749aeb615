"""Where a dunning case stands: its facts, the plan that follows from them, its projection."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.actions import TRAITS
from domain.dunning.case import PendingNotice, Plan, Standing, Step, WaitingFor, decide
from domain.errors import NotFoundError
from domain.money import round_amount
from models.messages import DunningProgress
from models.store.dunning import accounts, holding
from models.store.dunning.facts import HOLDS_TODAY
from models.store.dunning.holding import Held
from models.store.sql import Row, Statement

# A claim older than this has been answered or is forgotten on purpose: nobody acts on old news.
OLDEST_CLAIM = timedelta(days=30)

# What a case does itself; marks and words to account managers are the run's own.
BY_CASE = tuple(action for action, traits in TRAITS.items() if traits.contacts)

_FACTS = Statement(rf"""
select c.id as customer_id, c.customer_no, y.*, f.closed_at is not null as closed,
       k.id as ladder, case when k.ended_at is null then coalesce(k.level, 0) else 0 end as level,
       items.*, claims.*, bounces.*, notice.*, promise.*, failed.*,
       (select max(n.id) from dunning_notice n
        where n.customer_id = c.id and n.status = 'unknown') as unknown,
       exists (select from dunning_claim x where x.customer_id = c.id and x.day = :today
               and x.lane = 'step' and x.id is distinct from notice.claim_id
               and x.matched ->> 'notice' is distinct from cast(notice.notice_id as text))
         as day_taken
from customer c
cross join (
  select profile ->> 'currency' as currency,
         coalesce(cast(profile ->> 'approval_escalation_days' as integer), 3) as escalation_days
  from company) y
left join case_file f on f.id = :case_id
left join lateral (
  select * from dunning_case where customer_id = c.id order by id desc limit 1) k on true
left join lateral (
  select n.id as notice_id, n.claim_id, n.status,
         n.dunning_case_id = k.id and k.ended_at is null as on_ladder,
         n.level as notice_level, n.raises_level,
         n.amount, n.currency as notice_currency, n.approval_id, n.expires_at,
         n.proposed_at, n.template = 'instalment_reminder' and not n.raises_level
           as on_agreed_date,
         coalesce(r.name, '') as rule,
         n.status = 'approved' and case n.channel
           when 'letter' then n.document_id is not null
           else exists (select from outgoing_mail m where m.state = 'handing_over'
                        and m.key = :case_id || '\:send_notice\:notice-' || n.id)
           end as crossing,
         exists (select from effect e
                 where e.key = :case_id || '\:escalate_approval\:notice-' || n.id) as escalated
  from dunning_notice n left join dunning_rule r on r.id = n.rule_id
  where n.customer_id = c.id and n.status in ('proposed', 'approved')) notice on true
cross join lateral (
  select coalesce(sum(o.open_amount) filter (where not d.held and o.due_date < :today
                  and o.currency = coalesce(notice.notice_currency, y.currency)), 0) as overdue,
         min(o.due_date) filter (where not d.held and o.due_date < :today) as oldest_due,
         coalesce(bool_or(o.due_date < :today), false) as late,
         coalesce(sum(o.open_amount)
                  filter (where o.currency = coalesce(notice.notice_currency, y.currency)), 0)
           as debt
  from open_item o cross join lateral (
    select exists (select from dunning_block b where b.invoice_id = o.invoice_id and {HOLDS_TODAY})
      as held) d
  where o.customer_id = c.id and o.open_amount > 0) items
cross join lateral (
  select coalesce(array_agg(x.id order by x.id), '{{}}') as claims
  from dunning_claim x join dunning_run r on r.id = x.run_id
  join dunning_rule_version v on v.id = r.rule_version_id
  where x.customer_id = c.id and x.day >= :oldest_claim
    and v.content ->> 'action' = any(cast(:actions as text[]))
    and not exists (select from effect e
                    where e.key = :case_id || '\:answer_claim\:claim-' || x.id)) claims
cross join lateral (
  select coalesce(array_agg(b.id order by b.id), '{{}}') as bounced
  from dunning_notice n join mail_bounce b on b.mail_id = n.mail_id and b.action = 'failed'
  join dunning_case l on l.id = n.dunning_case_id and l.ended_at is null
  where n.customer_id = c.id and n.status = 'sent' and not exists (
    select from effect e where e.key = :case_id || '\:answer_bounce\:bounce-' || b.id)) bounces
cross join lateral (
  select count(*) > 0 as has_agreed_date,
         coalesce(sum(p.amount) filter (where p.due_date <= :today),
                  (array_agg(p.amount order by p.due_date, p.id))[1]) as agreed_amount
  from payment_promise p where p.customer_id = c.id and p.status = 'open') promise
cross join lateral (
  select coalesce(array_agg(field order by id), '{{}}') as failed_steps
  from case_exception where case_id = :case_id and kind = 'step_failed' and resolved_at is null
) failed
where c.customer_no = :customer_no
""")  # noqa: S608 - text of our own

# Money that nobody has assigned and that may be this customer's: on account already, or by the
# payer's name or account, or by a number or a sum that fits. A person who looked at it and said
# that it is not (a task that is done) is believed. What an order's case is about to match is waited
# for without a question.
_MONEY = Statement(r"""
select p.id, t.id is not null as asked,
       p.reconciled_at is null and p.case_id is not null as matching
from payment p
left join task t on t.key = :case_id || '\:ask_about_money\:payment-' || p.id
where p.unallocated > 0 and coalesce(t.status, 'open') = 'open' and (
  p.customer_id = :customer_id and (p.case_id is null or p.reconciled_at is not null
    or exists (select from open_item o where o.case_id = p.case_id))
  or p.customer_id is null and exists (
    select from customer c where c.id = :customer_id and (
      (p.payer_name <> '' and lower(p.payer_name) = lower(c.name))
      or strpos(p.reference, c.customer_no) > 0
      or exists (select from payment q where q.customer_id = c.id and q.payer_iban <> ''
                 and q.payer_iban = p.payer_iban)
      or exists (select from open_item o where o.customer_id = c.id and o.open_amount > 0
                 and (strpos(p.reference || ' ' || p.invoice_no, o.invoice_no) > 0
                      or (o.open_amount, o.currency) = (p.unallocated, p.currency))))))
order by p.id
""")
_PROJECT = Statement("""
update case_file set status = :status, amount_due = :amount_due, currency = :currency,
  due_date = :due_date, next_step = :next_step, next_step_at = :next_step_at, why = :why,
  waiting_for = :waiting_for, needs_attention = :attention, updated_at = :at
where id = :case_id
""")
_ZONE = Statement("select profile ->> 'time_zone' from company")


async def refresh(
    session: AsyncSession, case_id: str, customer_no: str, at: datetime
) -> DunningProgress:
    """Read the facts, decide what comes next, write the projection and return both."""
    progress = await look(session, case_id, customer_no, at)
    plan = progress.plan
    await _PROJECT.run(
        session,
        case_id=case_id,
        status=plan.status,
        amount_due=progress.amount_due,
        currency=progress.currency,
        due_date=progress.oldest_due,
        next_step=plan.next_step,
        next_step_at=progress.wake_at,
        why=plan.why,
        waiting_for=plan.waiting_for,
        attention=plan.attention,
        at=at,
    )
    return progress


async def look(
    session: AsyncSession, case_id: str, customer_no: str, at: datetime
) -> DunningProgress:
    """Read the facts and decide what comes next, without writing anything."""
    zone = await zone_of(session)
    today = at.astimezone(zone).date()
    case = await standing(session, case_id, customer_no, today, zone)
    plan = decide(case, today)
    if plan.waiting_for is WaitingFor.RULE:  # only then it matters what the rules will do next
        case = await _with_outlook(session, case, at)
        plan = decide(case, today)
    return _progress(case, plan, zone)


async def _with_outlook(session: AsyncSession, case: Standing, at: datetime) -> Standing:
    found = await accounts.outlook(session, case.customer_id, at)
    return replace(case, forecast=found.next_step, forecast_why=found.why, forecast_on=found.on)


async def zone_of(session: AsyncSession) -> ZoneInfo:
    """Return the company's time zone."""
    return ZoneInfo(await _ZONE.value(session) or "UTC")


async def today(session: AsyncSession, at: datetime) -> date:
    """Return the local day at the company at that instant."""
    return at.astimezone(await zone_of(session)).date()


async def standing(
    session: AsyncSession, case_id: str, customer_no: str, today: date, zone: ZoneInfo
) -> Standing:
    """Return the facts of a customer's dunning case on a local day."""
    row = await _FACTS.row(
        session,
        case_id=case_id,
        customer_no=customer_no,
        today=today,
        oldest_claim=today - OLDEST_CLAIM,
        actions=[action.value for action in BY_CASE],
    )
    if row is None:
        raise NotFoundError(f"There is no customer {customer_no}.")
    customer_id = row["customer_id"]
    case = _standing(row, await holding.held(session, customer_id, today), zone)
    if case.notice is None:
        return case
    money = await _MONEY.rows(session, case_id=case_id, customer_id=customer_id)
    return replace(
        case,
        money=tuple(p["id"] for p in money),
        money_asked=tuple(p["id"] for p in money if p["asked"] or p["matching"]),
    )


def _standing(row: Row, held: Held | None, zone: ZoneInfo) -> Standing:
    return Standing(
        customer_id=row["customer_id"],
        customer_no=row["customer_no"],
        currency=row["notice_currency"] or row["currency"],
        level=row["level"],
        overdue=row["overdue"],
        oldest_due=row["oldest_due"],
        late=row["late"],
        claims=tuple(row["claims"]),
        bounced=tuple(row["bounced"]),
        notice=_notice(row, zone) if row["notice_id"] is not None else None,
        unknown=row["unknown"],
        held_by=held.why if held else "",
        held_until=held.until if held else None,
        hears_of_instalments=held is None or held.hears_of_instalments,
        day_taken=row["day_taken"],
        failed_steps=tuple(row["failed_steps"]),
        ladder=row["ladder"],
        closed=row["closed"],
    )


def _notice(row: Row, zone: ZoneInfo) -> PendingNotice:
    due = row["overdue"]
    if row["on_agreed_date"]:
        agreed = min(row["agreed_amount"] or row["debt"], row["debt"])
        due = agreed if row["has_agreed_date"] else Decimal(0)
    asks = row["approval_id"] is not None
    asked_on = row["proposed_at"].astimezone(zone).date()
    return PendingNotice(
        id=row["notice_id"],
        approved=row["status"] == "approved",
        level=row["notice_level"],
        amount=row["amount"],
        due=due,
        currency=row["notice_currency"],
        rule=row["rule"],
        on_agreed_date=row["on_agreed_date"],
        right_level=bool(row["on_ladder"])
        and row["notice_level"] == row["level"] + int(row["raises_level"]),
        expires_on=row["expires_at"].astimezone(zone).date() if row["expires_at"] else None,
        escalates_on=asked_on + timedelta(days=row["escalation_days"]) if asks else None,
        escalated=row["escalated"],
        crossing=row["crossing"],
    )


def _progress(case: Standing, plan: Plan, zone: ZoneInfo) -> DunningProgress:
    wake_at = None
    if plan.step is Step.WAIT and plan.until:
        # A minute into the day: no clock that lags a little makes the day before of it.
        wake_at = datetime.combine(plan.until, time(0, 1), zone).astimezone(UTC)
    return DunningProgress(
        plan=plan,
        wake_at=wake_at,
        customer_no=case.customer_no,
        level=case.level,
        amount_due=round_amount(case.overdue, case.currency),
        currency=case.currency,
        oldest_due=case.oldest_due,
    )
