"""Where customers stand with dunning, for ``customer list`` and ``show``, and what people set."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.filters import CUSTOM_FIELDS
from models.dunning_tables import Debtor
from models.store.dunning.facts import HOLDS_TODAY

CUSTOM = tuple(f"custom_field_{n}" for n in range(1, CUSTOM_FIELDS + 1))

# Level and counters are those of the case that has not ended, and only while something is overdue.
_STANDINGS = text(f"""
select c.id as customer_id, coalesce(k.level, 0) as level,
       coalesce(k.notices_count, 0) as notices_count, coalesce(k.calls_count, 0) as calls_count,
       k.last_notice_on, coalesce(d.problematic, false) as problematic,
       coalesce(nullif(d.preferred_contact, ''), 'any') as preferred_contact, d.credit_limit,
       coalesce(d.manager, '') as manager, {", ".join(f"d.{name}" for name in CUSTOM)},
       p.due_date as promised_for, p.amount as promised_amount, p.currency as promised_currency,
       b.kind as blocked_by, b.until as blocked_until
from customer c
left join debtor d on d.customer_id = c.id
left join dunning_case k on k.customer_id = c.id and k.ended_at is null and exists (
  select from open_item o where o.customer_id = c.id and o.open_amount > 0
  and o.due_date < cast(:today as date))
left join lateral (
  select * from payment_promise p where p.customer_id = c.id and p.status = 'open'
  order by p.due_date, p.id limit 1) p on true
left join lateral (
  select * from dunning_block b where b.customer_id = c.id and b.invoice_id is null
  and {HOLDS_TODAY}
  order by b.until desc nulls first limit 1) b on true
where cast(:number as text) is null or c.customer_no = :number
""")  # noqa: S608 - names of our own columns


async def standings(
    session: AsyncSession, today: date, customer_no: str | None = None
) -> dict[int, RowMapping]:
    """Return where each customer (or one) stands on a local day, by the customer's id."""
    values = {"today": today, "number": customer_no}
    rows = (await session.execute(_STANDINGS, values)).mappings().all()
    return {row["customer_id"]: row for row in rows}


async def put(
    session: AsyncSession, customer_id: int, wanted: Mapping[str, Any], at: datetime
) -> list[str]:
    """Set what people know of a debtor; what is not named stays. The caller holds the lock.

    Return the names of what is different now.
    """
    known = await session.get(Debtor, customer_id, populate_existing=True)
    before = known or Debtor(customer_id=customer_id, updated_at=at)
    changes = {name: value for name, value in wanted.items() if getattr(before, name) != value}
    if changes:
        fresh = Debtor(customer_id=customer_id, updated_at=at, **changes)
        await session.exec(
            insert(Debtor)
            .values(**fresh.model_dump())
            .on_conflict_do_update(
                index_elements=["customer_id"], set_={**changes, "updated_at": at}
            )
        )
    return [*changes]
