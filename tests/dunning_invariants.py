"""What must hold of dunning after everything; ``tests.invariants`` runs these with its own.

As there, each check is one SQL statement that lists the rows which break it.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# A notice is out from its point of no return on: its document was made there.
_STEPS = """
select n.customer_id, (d.created_at at time zone zone.name)::date as day, 'notice ' || n.id as what
from dunning_notice n join document d on d.id = n.document_id cross join zone
where n.status in ('sent', 'withdrawn', 'unknown')
union all
select f.customer_id, (t.created_at at time zone zone.name)::date, 'task ' || t.id
from task t join case_file f on f.id = t.case_id cross join zone where t.kind = 'lawyer_handover'
"""
_MAIL_OF = r"m.key = f.id || '\:send_notice\:notice-' || n.id"

RULES = {
    "D1 at most one notice or legal step per customer and local day": f"""
        with zone as (select coalesce(max(profile ->> 'time_zone'), 'UTC') as name from company)
        select customer_id, day, array_agg(what) from ({_STEPS}) s
        group by customer_id, day having count(*) > 1""",  # noqa: S608 - text of our own
    "D2 level and counters are what was carried over plus what was sent": """
        select k.customer_id, k.level, k.notices_count, count(n.id) from dunning_case k
        left join dunning_notice n on n.dunning_case_id = k.id and n.raises_level
          and n.status in ('sent', 'withdrawn')
        group by k.id
        having k.level <> k.carried_level + count(n.id)
          or k.notices_count <> k.carried_notices + count(n.id)""",
    "D3 what was sent asks for something, and for no more than was approved": """
        select id, amount, rendered_amount from dunning_notice
        where status in ('sent', 'unknown')
          and (coalesce(rendered_amount, 0) <= 0 or rendered_amount > amount)""",
    "D3 the invoices of a notice add up to its sum": """
        select n.id, n.rendered_amount, sum(i.rendered_amount) from dunning_notice n
        join dunning_notice_item i on i.notice_id = n.id
        where n.status = 'sent' and n.template <> 'instalment_reminder'
        group by n.id having n.rendered_amount <> sum(i.rendered_amount)""",
    "D4 a notice goes by mail or by letter, once": f"""
        select n.id, n.status, n.channel, m.state from dunning_notice n
        join customer c on c.id = n.customer_id join case_file f
          on f.customer_id = c.id and f.kind = 'dunning'
        left join outgoing_mail m on {_MAIL_OF}
        where m.state = 'sent' and (n.channel <> 'email' or n.status not in ('sent', 'withdrawn'))
          or n.channel = 'email' and n.status = 'sent' and m.state is distinct from 'sent'
            and not exists (select from history h where h.case_id = f.id
              and h.event = 'notice_unknown' and h.detail ->> 'notice' = n.id::text)""",  # noqa: S608 - text of our own
    "D5 a notice that is under way has an open case": """
        select n.id, n.status from dunning_notice n join customer c on c.id = n.customer_id
        where n.status in ('proposed', 'approved') and not exists (
          select from case_file f where f.id = 'dunning-' || c.customer_no
          and f.closed_at is null)""",
    "D6 an approval waits for a notice that waits for it": """
        select a.id from approval a where a.step = 'send_notice' and a.status = 'pending'
        and not exists (select from dunning_notice n
                        where n.approval_id = a.id and n.status = 'proposed')""",
    "D7 a closed dunning case has left nothing behind": """
        select f.id from case_file f where f.kind = 'dunning' and f.closed_at is not null
        and (exists (select from dunning_case k
                     where k.customer_id = f.customer_id and k.ended_at is null)
          or exists (select from task t where t.case_id = f.id and t.status = 'open'))""",
    "D8 a claim is answered at most once": r"""
        select c.key, count(*) from (
          select split_part(key, '\:answer_claim\:', 2) as key from effect
          where step = 'answer_claim') c
        group by c.key having count(*) > 1""",
}

# These hold when nothing is under way any more.
AT_REST = {
    "D9 an open dunning case has something overdue, or something that waits": """
        select f.id from case_file f where f.kind = 'dunning' and f.closed_at is null
        and not exists (select from open_item o where o.customer_id = f.customer_id
                        and o.open_amount > 0 and o.due_date < cast(:today as date))
        and not exists (select from dunning_notice n where n.customer_id = f.customer_id
                        and n.status in ('proposed', 'approved', 'unknown'))
        and not exists (select from case_exception x where x.case_id = f.id
                        and x.resolved_at is null)""",
    "D10 everybody whom a run took got an answer": r"""
        select x.id, c.customer_no from dunning_claim x
        join dunning_run r on r.id = x.run_id
        join dunning_rule_version v on v.id = r.rule_version_id
        join customer c on c.id = x.customer_id
        where v.content ->> 'action' not in ('mark_problematic', 'hand_to_account_manager')
        and r.handed_over = r.taken
        and not exists (select from effect e where e.key =
          'dunning-' || c.customer_no || '\:answer_claim\:claim-' || x.id)""",
    "D11 a run that selected is over": """
        select key from dunning_run where finished_at is null""",
}


async def broken(
    connection: AsyncConnection, *, spool: Path | None = None, today: object = None
) -> list[str]:
    """Return a line for everything that is broken; ``today`` if nothing is under way any more."""
    found = []
    for name, query in RULES.items():
        rows = (await connection.execute(text(query))).all()
        found += [f"{name}: {tuple(row)}" for row in rows]
    if today is not None:
        for name, query in AT_REST.items():
            values = {"today": today} if ":today" in query else {}
            rows = (await connection.execute(text(query), values)).all()
            found += [f"{name}: {tuple(row)}" for row in rows]
    if spool:
        found += await _broken_letters(connection, spool)
    return found


async def _broken_letters(connection: AsyncConnection, spool: Path) -> list[str]:
    """Compare what we say was posted with what really lies in the spool, letter by letter."""
    rows = await connection.execute(
        text(
            "select 'notice-' || id as reference, status from dunning_notice n"
            " where channel = 'letter'"
        )
    )
    states = {row.reference: row.status for row in rows}
    manifest = spool / "manifest.jsonl"
    lines = manifest.read_text(encoding="utf-8").splitlines() if manifest.exists() else []
    there = Counter(json.loads(line)["reference"] for line in lines)
    known = {"sent", "withdrawn", "approved"}  # approved: it is being handed over
    found = [f"D12 letter {r} was printed {n} times" for r, n in there.items() if n > 1]
    found += [
        f"D12 letter {r} was printed, and the notice is {states.get(r, 'not there')}"
        for r in there
        if states.get(r) not in known
    ]
    found += [
        f"D12 letter {r} counts as sent and was never printed"
        for r, status in states.items()
        if status == "sent" and not there[r]
    ]
    files = {name.removesuffix(".pdf") for name in os.listdir(spool)}  # noqa: PTH208
    found += [f"D12 the file of letter {r} is missing" for r in there if r not in files]
    return found
