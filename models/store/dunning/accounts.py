"""What is stored about customers who owe something, and what the rules will do with them next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import RowMapping, text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.calendar import local_date
from domain.dunning import wording
from domain.dunning.dossier import Dossier, Period
from domain.dunning.facts import Account, Item
from domain.dunning.forecast import HORIZON, forecast
from domain.dunning.ladder import Ladder
from domain.dunning.phrasebook import Language
from domain.dunning.prospect import Forecast, Quiet, RuleInForce, Silence
from models.store import company
from models.store.dunning import rules
from models.store.dunning.debtors import CUSTOM

AT_ONCE = 50  # forecasts; some milliseconds

# One row a customer who owes something, with lists of what there is several of. Blocks that are
# over say nothing any more; those to come do.
_LASTS = "b.lifted_at is null and (b.until is null or b.until >= cast(:today as date))"
_DOSSIERS = text(f"""
select c.id, c.email <> '' as has_email, coalesce(d.problematic, false) as problematic,
       coalesce(d.preferred_contact, '') as preferred_contact, d.credit_limit,
       {", ".join(f"coalesce(d.{name}, '') as {name}" for name in CUSTOM)},
       coalesce(k.level, 0) as level, coalesce(k.notices_count, 0) as notices,
       coalesce(k.calls_count, 0) as calls, k.last_notice_on, o.items, b.blocks, p.agreed_dates,
       s.called_on, r.rejections, x.claims,
       (select count(*) from task t where t.case_id = 'dunning-' || c.customer_no
        and t.kind = 'dunning_call' and t.status = 'open') as open_calls,
       exists (select from dunning_notice n where n.customer_id = c.id
               and n.status in ('proposed', 'approved', 'unknown')) as notice_pending
from customer c
cross join lateral (
  select jsonb_agg(jsonb_build_array(o.currency, cast(o.open_amount as text), o.due_date, (
           select jsonb_agg(jsonb_build_array(b.since, b.until)) from dunning_block b
           where b.invoice_id = o.invoice_id and {_LASTS})) order by o.invoice_id) as items
  from open_item o where o.customer_id = c.id and o.open_amount > 0) o
cross join lateral (
  select jsonb_agg(jsonb_build_array(b.since, b.until)) as blocks from dunning_block b
  where b.customer_id = c.id and b.invoice_id is null and {_LASTS}) b
cross join lateral (
  select array_agg(p.due_date order by p.due_date) as agreed_dates from payment_promise p
  where p.customer_id = c.id and p.status = 'open') p
cross join lateral (
  select max(s.called_on) as called_on from dunning_call s
  where s.customer_id = c.id and s.successful) s
cross join lateral (
  select jsonb_agg(jsonb_build_array(n.rule_id, n.not_before) order by n.not_before) as rejections
  from dunning_notice n where n.customer_id = c.id and n.not_before is not null
  and n.rule_id is not null) r
cross join lateral (
  select jsonb_agg(jsonb_build_array(x.day, x.lane)) as claims from dunning_claim x
  where x.customer_id = c.id and x.day >= cast(:today as date)) x
left join debtor d on d.customer_id = c.id
left join dunning_case k on k.customer_id = c.id and k.ended_at is null
where o.items is not null and (cast(:ids as bigint[]) is null or c.id = any(cast(:ids as bigint[])))
""")  # noqa: S608 - names of our own columns


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the rules will do next with a customer, in words; no day where they do nothing."""

    found: Forecast | Silence
    next_step: str
    why: str

    @property
    def on(self) -> date | None:
        """The local day of the next step."""
        return self.found.day if isinstance(self.found, Forecast) else None

    @property
    def at(self) -> datetime | None:
        """The instant of the run that takes the customer."""
        return self.found.run.at if isinstance(self.found, Forecast) else None

    @property
    def rules_run(self) -> bool:
        """Whether any rule is active at all."""
        return not (isinstance(self.found, Silence) and self.found.reason is Quiet.NO_RULES)


async def outlook(
    session: AsyncSession, customer_id: int, at: datetime, language: Language = "en"
) -> Outlook:
    """Return what the rules will do next with a customer; nothing where nothing is owed."""
    found = await outlooks(session, at, [customer_id], language)
    nothing = Silence(Quiet.NOTHING_OPEN, HORIZON.days)
    return found.get(customer_id) or _said(nothing, language)


async def outlooks(
    session: AsyncSession,
    at: datetime,
    customer_ids: Sequence[int] | None = None,
    language: Language = "en",
) -> dict[int, Outlook]:
    """Return it for all customers who owe something, or for those of them that are named.

    RefusedError where no company is set.
    """
    firm = await company.get(session)
    known = await dossiers(session, local_date(at, firm.time_zone), customer_ids)
    active = await in_force(session)
    zone, found = ZoneInfo(firm.time_zone), dict[int, Outlook]()
    for customer_id, dossier in known.items():
        if len(found) % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)  # a long list keeps nobody else waiting
        step = forecast(dossier, active, zone=zone, now=at, currency=firm.currency)
        found[customer_id] = _said(step, language)
    return found


async def in_force(session: AsyncSession) -> list[RuleInForce]:
    """Return the rules that run by themselves: all that are not paused."""
    return [
        RuleInForce(stored.id, stored.rule, stored.start_date, stored.priority)
        for stored in await rules.list_all(session)
        if not stored.paused
    ]


async def dossiers(
    session: AsyncSession, today: date, customer_ids: Sequence[int] | None = None
) -> dict[int, Dossier]:
    """Return what is known of all customers who owe something, or of those named, by their ids."""
    values = {"today": today, "ids": None if customer_ids is None else list(customer_ids)}
    rows = (await session.execute(_DOSSIERS, values)).mappings()
    return {row["id"]: _dossier(row) for row in rows}


def _said(found: Forecast | Silence, language: Language) -> Outlook:
    return Outlook(found, wording.next_step(found, language), wording.why(found, language))


def _dossier(row: RowMapping) -> Dossier:
    items: list[Any] = row["items"]
    claims = dict[date, frozenset[str]]()
    for day, lane in row["claims"] or ():
        on = date.fromisoformat(day)
        claims[on] = claims.get(on, frozenset()) | {lane}
    return Dossier(
        account=Account(
            items=tuple(Item(item[0], Decimal(item[1]), _day(item[2])) for item in items),
            problematic=row["problematic"],
            preferred_contact=row["preferred_contact"],
            credit_limit=row["credit_limit"],
            custom_fields=tuple(row[name] for name in CUSTOM),
            ladder=Ladder(row["level"], row["notices"], row["calls"], row["last_notice_on"]),
            open_call_tasks=row["open_calls"],
            agreed_dates=tuple(row["agreed_dates"] or ()),
            last_successful_call_on=row["called_on"],
        ),
        blocks=_periods(row["blocks"]),
        item_blocks={place: _periods(item[3]) for place, item in enumerate(items) if item[3]},
        # The latest day of a rule stands last.
        rejections={rule: date.fromisoformat(day) for rule, day in row["rejections"] or ()},
        claims=claims,
        notice_pending=row["notice_pending"],
        has_email=row["has_email"],
    )


def _periods(written: Iterable[tuple[str, str | None]] | None) -> tuple[Period, ...]:
    return tuple(Period(date.fromisoformat(a), _day(b)) for a, b in written or ())


def _day(written: str | None) -> date | None:
    return date.fromisoformat(written) if written else None
