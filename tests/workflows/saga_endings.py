"""What played cases have left behind: documents, mails, tasks, books, and how their workflow ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text

from tests.invariants import failed_tasks
from tests.workflows.house import House
from tests.workflows.saga_stage import PATIENCE

_ENDING = text("""
select f.status, f.cancel_reason is not null as cancelling,
  array(select m.kind from outgoing_mail m where m.case_id = f.id and m.state = 'sent') as mails,
  array(select i.type from invoice i where i.case_id = f.id) as invoices,
  array(select k.kind from task k where k.case_id = f.id and k.status = 'open') as tasks,
  exists (select from task k where k.case_id = f.id and k.outcome = 'the order was cancelled')
    or exists (select from approval a where a.case_id = f.id
               and a.reason = 'the order was cancelled') as withdrawn,
  (select count(*) from payment p where p.case_id = f.id) as payments,
  (select count(*) from payment p where p.case_id = f.id and p.unallocated = p.amount)
    as on_account,
  array(select a.step from approval a where a.case_id = f.id and a.status = 'pending')
    || array(select e.kind from case_exception e where e.case_id = f.id
             and e.resolved_at is null) as waits,
  (select coalesce(jsonb_object_agg(account, amount), '{}') from (
     select g.account, sum(g.amount)::text as amount from posting g
     join journal_entry j on j.id = g.entry_id where j.case_id = f.id
     group by g.account) sums) as accounts
from case_file f where f.id = :case_id
""")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a case ended.

    ``cancelling`` says that a cancellation was accepted; ``tasks`` and ``waits`` are what is still
    open; ``withdrawn`` says that a task or an approval was closed because of a cancellation;
    ``on_account`` counts payments that settle nothing. That the mails arrived, the invariants say.
    """

    status: str
    result: str
    cancelling: bool
    invoices: Counter[str]
    mails: Counter[str]
    tasks: Counter[str]
    withdrawn: bool
    payments: int
    on_account: int
    accounts: dict[str, Decimal]
    waits: list[str]


async def endings(house: House, case_ids: list[str]) -> list[Ending]:
    """Return how these cases ended; their workflows have, or are about to."""
    results = await asyncio.gather(*(_result(house, case_id) for case_id in case_ids))
    found = []
    async with house.database.engine.connect() as connection:
        for case_id, result in zip(case_ids, results, strict=True):
            row = (await connection.execute(_ENDING, {"case_id": case_id})).one()
            ending = Ending(
                status=row.status,
                result=result,
                cancelling=row.cancelling,
                invoices=Counter(row.invoices),
                mails=Counter(row.mails),
                tasks=Counter(row.tasks),
                withdrawn=row.withdrawn,
                payments=row.payments,
                on_account=row.on_account,
                accounts={name: Decimal(amount) for name, amount in row.accounts.items()},
                waits=row.waits,
            )
            found.append(ending)
    return found


async def _result(house: House, case_id: str) -> str:
    try:
        return str(await asyncio.wait_for(house.workflow(case_id).result(), PATIENCE))
    except TimeoutError:
        return "still running"


async def broken_workflows(house: House, case_ids: list[str]) -> list[str]:
    """Name every workflow task of these cases that failed (I7)."""
    found = await asyncio.gather(*(failed_tasks(house.workflow(one)) for one in case_ids))
    return [line for lines in found for line in lines]
