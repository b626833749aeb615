"""What must hold after everything: one checker, run at the end of every integration and crash test.

Each check is one SQL statement that lists the rows which break it, so a failure names them. The
embedded mailbox and the histories in Temporal are checked too, where a test has them.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import text
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowHandle

from connectors.mailbox import list_mails
from models.store.database import Database
from tests import dunning_invariants

RULES = {
    "I1 money is conserved: received = settled + left over, per payment": """
        select p.id, p.amount, p.unallocated, coalesce(sum(a.amount), 0) as settled
        from payment p left join allocation a on a.payment_id = p.id
        group by p.id having p.amount <> p.unallocated + coalesce(sum(a.amount), 0)""",
    "I1 every entry of the journal sums to zero": """
        select entry_id, currency, sum(amount) from posting
        group by entry_id, currency having sum(amount) <> 0""",
    "I1 open items agree with the journal": """
        select t.invoice_no, t.open_amount, sum(p.amount) from open_item t
        join posting p on p.invoice_id = t.invoice_id and p.account = 'receivables'
        group by t.invoice_no, t.open_amount having t.open_amount <> sum(p.amount)""",
    "I1 every payment has exactly one receipt in the journal": r"""
        select p.id from payment p where (select count(*) from journal_entry e
        where e.key = 'payment-' || p.id || '\:received') <> 1""",
    "I2 one invoice per order, numbers without a gap": """
        select series, year, count(*), max(number) - min(number) + 1 from invoice
        group by series, year having count(*) <> max(number) - min(number) + 1""",
    "I2 the counter is where the last number is": """
        select c.series, c.year, c.last from invoice_counter c
        where c.last <> (select max(number) from invoice i
                         where i.series = c.series and i.year = c.year)""",
    "I2 one invoice mail per case": """
        select case_id, kind, count(*) from outgoing_mail
        where kind in ('invoice', 'payment_confirmation', 'payment_rescue')
        group by case_id, kind having count(*) > 1""",
    "I2 one task per case and reason": """
        select case_id, kind, context, count(*) from task where status = 'open'
        group by case_id, kind, context having count(*) > 1""",
    "I3 every order that was taken in has its case": """
        select o.order_no from sales_order o left join case_file f on f.order_id = o.id
        where f.id is null""",
    "I4 no invoice before its order was checked": """
        select o.order_no from sales_order o join invoice i on i.order_id = o.id
        where o.checked_revision < o.revision""",
    "I5 a closed case has no follow-up task and nothing to pay": """
        select f.id, f.status, f.amount_due from case_file f where f.closed_at is not null
        and ((f.status = 'closed' and f.amount_due <> 0) or exists (
          select from task t where t.case_id = f.id and t.status = 'open'
          and t.kind in ('follow_up_payment', 'payment_failed')))""",
    "I5 a cancelled case has cancelled its invoice and left nothing to do but refunds": """
        select f.id from case_file f where f.closed_as = 'cancelled' and (
          (exists (select from invoice i where i.case_id = f.id and i.type = '380')
           and not exists (select from invoice i where i.case_id = f.id and i.type = '384'))
          or exists (select from task t where t.case_id = f.id and t.status = 'open'
                     and t.kind <> 'refund')
          or exists (select from approval a where a.case_id = f.id and a.status = 'pending'))""",
    "I5 a closed case mailed its invoice": """
        select f.id from case_file f join invoice i on i.case_id = f.id
        where f.closed_as = 'closed' and not exists (select from outgoing_mail m
          where m.case_id = f.id and m.kind = 'invoice' and m.state = 'sent')""",
    "I6 the projection shows the invoice and the open amount": """
        select f.id, f.amount_due, t.open_amount from case_file f
        join open_item t on t.case_id = f.id
        where f.amount_due <> t.open_amount or f.invoice_no is distinct from t.invoice_no""",
}
TASK_FAILED = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
# A signal came while the workflow was closing: the server has it look again. Nothing failed.
NEWS_AT_THE_END = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND


async def check(
    database: Database,
    *,
    mailbox: Path | None = None,
    client: Client | None = None,
    spool: Path | None = None,
    today: date | None = None,
) -> None:
    """Raise AssertionError with everything that is broken."""
    found = await broken(database, mailbox=mailbox, client=client, spool=spool, today=today)
    assert not found, "\n".join(found)


async def broken(
    database: Database,
    *,
    mailbox: Path | None = None,
    client: Client | None = None,
    spool: Path | None = None,
    today: date | None = None,
) -> list[str]:
    """Return a line for everything that is broken.

    ``spool`` is the folder of letters; ``today`` is given where nothing is under way any more.
    """
    found = await _broken_rules(database)
    async with database.engine.connect() as connection:
        found += await dunning_invariants.broken(connection, spool=spool, today=today)
    if mailbox:
        found += await _broken_mails(database, mailbox)
    if client:
        found += await _failed_workflow_tasks(client)
    return found


async def _broken_rules(database: Database) -> list[str]:
    broken = []
    async with database.engine.connect() as connection:
        for name, query in RULES.items():
            rows = (await connection.execute(text(query))).all()
            broken += [f"{name}: {tuple(row)}" for row in rows]
    return broken


async def _broken_mails(database: Database, mailbox: Path) -> list[str]:
    """Compare what we say was sent with what really lies in the mailbox, mail by mail."""
    async with database.engine.connect() as connection:
        rows = await connection.execute(text("select message_id, state from outgoing_mail"))
        states = {row.message_id: row.state for row in rows}
    there = Counter(mail.message_id for mail in list_mails(mailbox))
    broken = [f"I2 mail {m} arrived {n} times" for m, n in there.items() if n > 1]
    broken += [f"I2 mail {m} arrived, nobody meant to send it" for m in there if m not in states]
    broken += [
        f"I3 mail {m} counts as sent and never arrived"
        for m, state in states.items()
        if state == "sent" and not there[m]
    ]
    return broken


async def _failed_workflow_tasks(client: Client) -> list[str]:
    broken = []
    async for execution in client.list_workflows():
        broken += await failed_tasks(
            client.get_workflow_handle(execution.id, run_id=execution.run_id)
        )
    return broken


async def failed_tasks(workflow: WorkflowHandle[Any, Any]) -> list[str]:
    """I7: no workflow task failed in any history. Return a line for each that did."""
    broken = []
    async for event in workflow.fetch_history_events():
        told = event.workflow_task_failed_event_attributes
        if event.event_type == TASK_FAILED and told.cause != NEWS_AT_THE_END:
            broken.append(f"I7 {workflow.id}: a workflow task failed: {told.failure.message}")
    return broken
