"""Marks the customers of a run as problematic (K5): set-based, with a line in each history."""

from __future__ import annotations

from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from models.store import history
from models.store.dunning.runs import Run
from models.store.dunning.telling import LOOK_AGAIN, PREFIX
from models.store.sql import Statement

# A row of the outbox for every open case: rules see the customer with other eyes now.
_LOCK = Statement("""
select from customer where id in (select customer_id from dunning_claim where run_id = :run_id)
order by id for no key update
""")
_MARK = Statement(f"""
with taken as materialized (
  select c.id, c.customer_no from dunning_claim x join customer c on c.id = x.customer_id
  where x.run_id = :run_id),
marked as (
  insert into debtor as d (customer_id, problematic, preferred_contact, manager, custom_field_1,
    custom_field_2, custom_field_3, custom_field_4, custom_field_5, custom_field_6,
    custom_field_7, updated_at)
  select id, true, '', '', '', '', '', '', '', '', '', :at from taken order by id
  on conflict (customer_id) do update set problematic = true, updated_at = :at
  where not d.problematic
  returning d.customer_id),
noted as (
  insert into history (case_id, at, actor, event, text, detail)
  select '{PREFIX}' || t.customer_no, :at, :actor, 'marked_problematic', :text,
         jsonb_build_object('run', cast(:run_id as bigint))
  from marked m join taken t on t.id = m.customer_id),
told as (
  insert into outbox (case_id, signal, payload, created_at, due_at, attempts, last_error)
  select f.id, '{LOOK_AGAIN}', jsonb_build_object('outbox_id', 'run-' || cast(:run_id as bigint)),
         :at, :at, 0, ''
  from case_file f join marked m on m.customer_id = f.customer_id
  where f.kind = 'dunning' and f.closed_at is null)
select count(*) from marked
""")  # noqa: S608 - words of our own


async def mark(session: AsyncSession, run: Run, at: datetime) -> int:
    """Mark everybody whom the run took; return how many were not marked before."""
    await _LOCK.run(session, run_id=run.id)
    count: int = await _MARK.value(
        session,
        run_id=run.id,
        at=at,
        actor=history.SYSTEM,
        text=f"Marked as problematic by the rule {run.rule.name!r}",
    )
    return count
