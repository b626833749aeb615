"""Whether a customer must not hear from us now, why, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from models.store.sql import Statement

_HELD = Statement("""
with b as (
    select kind, until, invoice_id from dunning_block
    where customer_id = :customer_id and lifted_at is null and since <= :today
      and (until is null or until >= :today))
select
  exists (select from b where kind = 'insolvency') as insolvent,
  exists (select from b where kind = 'block' and invoice_id is null) as blocked,
  (select max(coalesce(until, 'infinity')) from b
   where kind = 'block' and invoice_id is null) = 'infinity' as endless,
  (select max(until) from b where kind = 'block' and invoice_id is null) as blocked_until,
  (select max(due_date) from payment_promise
   where customer_id = :customer_id and status = 'open') as promised_for,
  (select count(*) from open_item where customer_id = :customer_id and open_amount > 0
     and due_date < :today) as overdue,
  (select count(*) from open_item where customer_id = :customer_id and open_amount > 0
     and due_date < :today and invoice_id in (select invoice_id from b
       where invoice_id is not null)) as excepted
""")


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
    if found["blocked"]:
        until = None if found["endless"] else found["blocked_until"]
        return Held("dunning is blocked for this customer", until)
    if found["promised_for"] is not None and found["promised_for"] >= today:
        why = "a payment date was agreed with this customer and is not over"
        return Held(why, found["promised_for"], hears_of_instalments=True)
    if found["overdue"] and found["overdue"] == found["excepted"]:
        return Held("everything overdue is disputed or blocked", hears_of_instalments=True)
    return None
