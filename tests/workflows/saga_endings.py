"""What played cases have left behind: documents, mails, tasks, books, and how their workflow ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause

from connectors.mailbox import list_mails
from tests.workflows.house import House

_ENDING = text("""
select f.status,
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
# The server refuses an answer that was given before what had just come in was read: no mistake.
_HARMLESS = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND


@dataclass(frozen=True, slots=True)
class Ending:
    """How a case ended.

    ``tasks`` and ``waits`` are what is still open; ``withdrawn`` says that a task or an approval
    was closed because of a cancellation; ``on_account`` counts payments that settle nothing.
    """

    status: str
    result: str
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
    assert house.settings.mailbox_dir
    mails: dict[str, Counter[str]] = {}
    for mail in list_mails(house.settings.mailbox_dir):
        mails.setdefault(mail.case_id, Counter())[mail.kind] += 1
    results = await asyncio.gather(*(_result(house, case_id) for case_id in case_ids))
    found = []
    async with house.database.engine.connect() as connection:
        for case_id, result in zip(case_ids, results, strict=True):
            row = (await connection.execute(_ENDING, {"case_id": case_id})).one()
            ending = Ending(
                status=row.status,
                result=result,
                invoices=Counter(row.invoices),
                mails=mails.get(case_id, Counter()),
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
        return str(await asyncio.wait_for(house.workflow(case_id).result(), 10))
    except TimeoutError:
        return "still running"


async def failed_tasks(house: House, case_ids: list[str]) -> list[str]:
    """Name every workflow task of these cases that failed (I7)."""
    broken = []
    for case_id in case_ids:
        async for event in house.workflow(case_id).fetch_history_events():
            failed = event.workflow_task_failed_event_attributes
            if event.event_type != EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                continue
            if failed.cause != _HARMLESS:
                broken.append(f"{case_id}: a workflow task failed: {failed.failure.message}")
    return broken
