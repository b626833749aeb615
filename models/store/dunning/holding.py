"""Whether a customer must not hear from us now, why, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from models.store.sql import Statement

# What ends when: a block without an end ends at infinity. An invoice is dunned again after the last
# of what keeps it away, the customer hears from us after the first such invoice.
_HELD = Statement("""
with b as (
    select kind, invoice_id, coalesce(until, 'infinity') as until from dunning_block
    where customer_id = :customer_id and lifted_at is null and since <= :today
      and (until is null or until >= :today)),
  overdue as (
    select invoice_id, (select max(b.until) from b where b.invoice_id = t.invoice_id) as until
    from open_item t where customer_id = :customer_id and open_amount > 0 and due_date < :today)
select
  exists (select from b where kind = 'insolvency') as insolvent,
  (select max(until) from b where kind = 'block' and invoice_id is null) as blocked_until,
  (select min(due_date) from payment_promise
   where customer_id = :customer_id and status = 'open') as promised_for,
  (select case when bool_and(until is not null) then min(until) end from overdue)
    as excepted_until
""")
# How the driver reads infinity.
_ENDLESS = date.max


@dataclass(frozen=True, slots=True)
class Held:
    """Why a customer must not hear from us; ``until`` is the last such day, None without an end.

    ``hears_of_instalments``: a reminder of the agreed date itself may go out all the same.
    """

    why: str
    until: date | None = None
    hears_of_instalments: bool = False


async def held(session: AsyncSession, customer_id: int, today: date) -> Held | None:
    """Return what holds contact with a customer on a local day; None if nothing does.

    It agrees with the holds of a rule's run (``domain.dunning.holds``), and with what counts as
    overdue there: what is disputed or blocked does not.
    """
    found = await _HELD.one(session, customer_id=customer_id, today=today)
    if found["insolvent"]:
        return Held("the customer is insolvent: claims are filed with the administrator")
    if found["blocked_until"] is not None:
        return Held("dunning is blocked for this customer", _end(found["blocked_until"]))
    if found["promised_for"] is not None and found["promised_for"] >= today:
        why = "a payment date was agreed with this customer and is not over"
        return Held(why, found["promised_for"], hears_of_instalments=True)
    if found["excepted_until"] is not None:
        why = "everything overdue is disputed or blocked"
        return Held(why, _end(found["excepted_until"]), hears_of_instalments=True)
    return None


def _end(until: date) -> date | None:
    return None if until == _ENDLESS else until
