"""Orders as cases need them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import ConflictError
from domain.order import Order
from models.codec import Json, read_order
from models.messages import GENERATION, CaseStart
from models.store import company
from models.store.customers import Recognised
from models.store.sql import Statement
from models.tables import SalesOrder

_TO_CHECK = Statement("""
select cast(o.content as text) as content, o.revision, o.accepted,
  cast(y.profile as text) as profile,
  (select rules from routing_version order by id desc limit 1) as rules,
  exists (select from case_exception e where e.case_id = o.case_id and e.resolved_at is null
    and e.kind <> 'step_failed') as has_problems,
  (select array[d.order_no, d.channel] from sales_order d
    where d.fingerprint = o.fingerprint and d.id < o.id
      and d.placed_at between o.placed_at - cast(:window as interval)
        and o.placed_at + cast(:window as interval)
    order by d.id limit 1) as duplicate_of
from sales_order o left join company y on true where o.case_id = :case_id for no key update of o
""")
_FOUND_WRONG = Statement("""
update sales_order set checked_revision = revision, routed = :routed where case_id = :case_id
""")
_CHECKED = Statement("""
with o as (update sales_order set checked_revision = revision, customer_id = :customer_id,
    hold_reason = :hold_reason, routed = :routed where case_id = :case_id)
update case_file set customer_id = :customer_id where id = :case_id
""")
_TO_INVOICE = Statement("""
select o.id, cast(o.content as text) as content, o.customer_id, c.customer_no, c.terms_days,
  c.language, cast(y.profile as text) as profile,
  cast(o.routed ->> 'terms_days' as integer) as routed_terms_days,
  (select coalesce(sum(p.amount), 0) from payment p
    where p.case_id = o.case_id and p.currency = o.currency) as received,
  (select max(p.valid_on) from payment p
    where p.case_id = o.case_id and p.currency = o.currency) as paid_on
from sales_order o join customer c on c.id = o.customer_id left join company y on true
where o.case_id = :case_id for no key update of o
""")


@dataclass(frozen=True, slots=True)
class ToCheck:
    """An order that is to be checked, and what it is checked against.

    ``rules`` are the routing rules that hold, None if there are none. ``duplicate_of`` names an
    earlier order (number, channel) of the same customer, positions and total; ``has_problems`` says
    that findings of an earlier check are still open.
    """

    order: Order
    revision: int
    company: Company
    accepted: tuple[str, ...]
    rules: Json | None
    duplicate_of: tuple[str, str] | None
    has_problems: bool


async def to_check(session: AsyncSession, case_id: str, window: timedelta) -> ToCheck:
    """Return an order for its check, locked; a duplicate was placed within ``window`` of it."""
    row = await _TO_CHECK.one(session, case_id=case_id, window=window)
    return ToCheck(
        read_order(row["content"]),
        row["revision"],
        company.of(row["profile"]),
        tuple(row["accepted"]),
        row["rules"],
        tuple(row["duplicate_of"]) if row["duplicate_of"] else None,
        row["has_problems"],
    )


async def mark_checked(
    session: AsyncSession,
    case_id: str,
    customer: Recognised | None,
    hold_reason: str,
    routed: Json,
) -> None:
    """Note that the order was checked as it stands: whose it is, and why it needs an approval.

    ``routed`` is what the rules decided (``models.store.routing``).

    Without a customer it was found wrong.
    """
    if customer is None:
        await _FOUND_WRONG.run(session, case_id=case_id, routed=routed)
    else:
        await _CHECKED.run(
            session,
            case_id=case_id,
            customer_id=customer.id,
            hold_reason=hold_reason,
            routed=routed,
        )


@dataclass(frozen=True, slots=True)
class ToInvoice:
    """An order that is to be invoiced, its customer's terms, and what was paid for it before."""

    id: int
    order: Order
    company: Company
    customer_id: int
    customer_no: str
    terms_days: int | None
    routed_terms_days: int | None
    language: str
    received: Decimal
    paid_on: date | None


async def to_invoice(session: AsyncSession, case_id: str) -> ToInvoice:
    """Return an order for its invoice, locked. The caller holds its customer's lock."""
    row = await _TO_INVOICE.row(session, case_id=case_id)
    if row is None:
        raise ConflictError(f"The order of case {case_id} was not checked yet.")
    return ToInvoice(
        row["id"],
        read_order(row["content"]),
        company.of(row["profile"]),
        row["customer_id"],
        row["customer_no"],
        row["terms_days"],
        row["routed_terms_days"],
        row["language"],
        row["received"],
        row["paid_on"],
    )


async def case_starts(session: AsyncSession, case_ids: Collection[str]) -> dict[str, CaseStart]:
    """Return what the workflows of these cases are started with."""
    query = select(
        SalesOrder.case_id, SalesOrder.channel, SalesOrder.order_no, SalesOrder.revision
    ).where(col(SalesOrder.case_id).in_(case_ids))
    return {
        case_id: CaseStart(
            case_id=case_id,
            channel=channel,
            order_no=number,
            revision=revision,
            generation=GENERATION,
        )
        for case_id, channel, number, revision in await session.exec(query)
    }
