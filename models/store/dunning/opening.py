"""Opens dunning cases: their file, which lists show, and the ladder that their levels stand on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.dunning.case import Status, WaitingFor
from models.store.dunning.telling import PREFIX
from models.store.sql import Statement

_OPEN = Statement(f"""
insert into case_file as f (id, kind, customer_id, channel, order_no, status, payment_status,
    fulfilment_status, return_status, accounting_status, currency, next_step, why, waiting_for,
    needs_attention, overdue_noted, opened_at, updated_at)
select '{PREFIX}' || c.customer_no, 'dunning', c.id, '', '', '{Status.DUNNING}', '', '', '', '',
       (select profile ->> 'currency' from company), 'look at what is due',
       'a dunning step was asked for', '{WaitingFor.NOTHING}', false, false, :at, :at
from customer c where c.id = any(cast(:customers as bigint[])) order by c.id
on conflict (id) do update set closed_at = null, closed_as = null where f.closed_at is not null
""")  # noqa: S608 - words of our own
_BEGIN = Statement("""
insert into dunning_case (customer_id, level, notices_count, calls_count, carried_level,
    carried_notices, started_at)
select c, 0, 0, 0, 0, 0, :at from unnest(cast(:customers as bigint[])) c order by c
on conflict (customer_id) where ended_at is null do nothing
""")


async def open_cases(session: AsyncSession, customer_ids: Sequence[int], at: datetime) -> None:
    """Open the dunning case of each customer; one that is open stays as it is."""
    customers = sorted({*customer_ids})
    await _OPEN.run(session, customers=customers, at=at)
    await _BEGIN.run(session, customers=customers, at=at)
