"""What a rule run costs: its selection against a bare aggregate scan, its hand-over to the cases.

``python -m bench.dunning_select``: 20,000 customers with 100,000 open items; ``FULL=1``: ten times
as many. Both sides of the selection read the same tables of one database in one run, three times,
in turns. The hand-over goes through a Temporal, page by page, in turns with signals-with-start of
workflows of nothing: the least that Temporal can do for a case. ``make bench`` has one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import asyncpg
from pydantic import SecretStr
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.rule_runs import AT_ONCE, RuleRunActivities
from activities.services import Services
from bench.cpu import memory
from bench.report import Result, figure, show
from bench.stack import set_company
from connectors.mail import SmtpMailer
from domain.dunning.rule_file import read_rule
from models.run_messages import Page, PageRequest
from models.settings import Settings
from models.store.database import Database
from models.store.dunning import rules, selection
from models.store.dunning.selection import RunRequest
from starter.rule_files import shipped_rules
from starter.stack import migrate
from starter.stack.throwaway import throwaway_postgres

TODAY, AT = date(2026, 11, 22), datetime(2026, 11, 22, 8, tzinfo=UTC)
ROUNDS = 3
MOST_HANDED_OVER = 2_000  # the pages are alike
TARGET = 3.0  # times the bare scan, at most

# A tenth of the customers is overdue for more than six days and was never dunned.
_FILL = """
set session_replication_role = replica;
insert into customer (id, customer_no, kind, name, email, phone, vat_id, language, address,
                      created_at, updated_at)
select n, 'B-' || lpad(n::text, 7, '0'), 'b2b', 'Customer ' || n, 'c' || n || '@bench.example',
       '', '', 'de', '{}', now(), now()
from generate_series(1, $customers) n;
insert into debtor (customer_id, problematic, preferred_contact, manager, custom_field_1,
  custom_field_2, custom_field_3, custom_field_4, custom_field_5, custom_field_6, custom_field_7,
  updated_at)
select n, n % 50 = 0, '', '', '', '', '', '', '', '', '', now()
from generate_series(1, $customers) n where n % 2 = 0;
insert into invoice (id, invoice_no, type, case_id, customer_id, issue_date, due_date, currency,
                     charged, paid_at_issue, content, created_at)
select n, 'B-' || n, 'imported', 'imported-B-' || n, 1 + n % $customers, date '2026-09-01',
       date '2026-11-22' + 20 - (n::bigint * 7919 % 60)::int, 'EUR', 10 + n % 500, false, '{}',
       now()
from generate_series(1, $customers * 5) n;
update invoice set due_date = date '2026-12-24' where customer_id % 5 <> 0;
insert into open_item (invoice_id, invoice_no, case_id, customer_id, due_date, currency, amount,
                       open_amount)
select id, invoice_no, case_id, customer_id, due_date, currency, charged, charged from invoice;
insert into dunning_case (customer_id, level, notices_count, calls_count, last_notice_on,
                          carried_level, carried_notices, started_at)
select n, 1, 1, 0, date '2026-11-10', 1, 1, now()
from generate_series(1, $customers) n where n % 10 = 0;
set session_replication_role = origin;
vacuum analyze customer, debtor, invoice, open_item, dunning_case;
"""

_BARE = text("""
select (select sum(debt) from (select customer_id, sum(open_amount) as debt, min(due_date) as first
        from open_item where open_amount > 0 group by customer_id) owed where first is not null),
       (select max(customer_no) from customer), (select count(*) from debtor where problematic),
       (select sum(notices_count) from dunning_case where ended_at is null)
""")


async def main() -> None:
    """Fill a database of its own, measure the selection, show."""
    full = os.environ.get("FULL", "") not in {"", "0"}
    show(await dunning(None, full=full))


async def dunning(client: Client | None, *, full: bool) -> list[Result]:
    """Measure on a database of its own: the selection, and with a Temporal the hand-over too."""
    async with throwaway_postgres() as server:
        url = await server.database()
        settings = Settings(
            _env_file=None,
            data_dir=Path("/nonexistent"),
            database_url=SecretStr(url),
            task_queue="bench-nobody",  # cases are started and told; nobody works on them
        )
        await migrate.upgrade(settings)
        await _fill(url, 200_000 if full else 20_000)
        database = Database.connect(settings)
        try:
            results = [await measure(database)]
            if client:
                results += await handed_over(database, settings, client)
            return results
        finally:
            await database.close()


async def handed_over(database: Database, settings: Settings, client: Client) -> list[Result]:
    """Count how many cases a run opens and tells in a second, page after page, in what memory."""
    await set_company(database)
    rule = replace(read_rule(shipped_rules()[0]), name="hand over")
    async with database.transaction() as session:
        await rules.add(session, rule, start=TODAY, at=AT, by="bench")
        stored = await rules.get(session, rule.name)
        request = RunRequest("bench-hand-over", None, TODAY, AT)
        run_id = (await selection.run(session, stored, request, currency="EUR")).run_id
    activities = RuleRunActivities(Services(database, SmtpMailer(settings), settings))
    environment = ActivityEnvironment(client=client)
    page, ours, bare, grown = Page(after=0, handed_over=0, last=False), 0.0, 0.0, list[int]()
    while not page.last and page.handed_over < MOST_HANDED_OVER:
        size = memory(os.getpid())
        before, began = page.handed_over, time.perf_counter()
        asked = PageRequest(run_id=run_id, after=page.after, at=AT)
        page = await environment.run(activities.hand_over, asked)
        ours += time.perf_counter() - began
        grown.append(memory(os.getpid()) - size)
        bare += await _bare_starts(client, range(before, page.handed_over))
    count = page.handed_over
    print(f"handed over {count} cases in {ours:.1f} s; bare {bare:.1f} s")
    return [
        figure("dunning_handed_over", count / ours, "cases/s", baseline=count / bare),
        figure("dunning_memory_of_a_page", sum(grown) / len(grown) / 1e6, "MB"),
    ]


async def _bare_starts(client: Client, numbers: range) -> float:
    """Start a workflow of nothing for each number, as many at a time; return the seconds."""
    waiting, began = iter(numbers), time.perf_counter()

    async def start_some() -> None:
        for number in waiting:
            await client.start_workflow(
                "Nothing",
                id=f"nothing-{number}",
                task_queue="bench-nobody",
                start_signal="nothing",
            )

    await asyncio.gather(*(start_some() for _ in range(AT_ONCE)))
    return time.perf_counter() - began


async def measure(database: Database) -> Result:
    """Time the selection of the first shipped rule, claims included, against the bare scan."""
    bare, selected, taken = [], [], 0
    for number in range(ROUNDS):
        async with _undone(database) as session:
            began = time.perf_counter()
            await (await session.connection()).execute(_BARE)
            bare.append(time.perf_counter() - began)
            rule = replace(read_rule(shipped_rules()[0]), name=f"bench {number}")
            await rules.add(session, rule, start=TODAY, at=AT, by="bench")
            stored = await rules.get(session, rule.name)
            request = RunRequest(f"bench-{number}", None, TODAY, AT)
            began = time.perf_counter()
            done = await selection.run(session, stored, request, currency="EUR")
            selected.append(time.perf_counter() - began)
            taken = done.taken
    value, baseline = statistics.median(selected), statistics.median(bare)
    print(f"selected {taken} customers: {selected} s; bare {bare} s")
    ratio = round(value / baseline, 3)
    return Result(
        "dunning_select", round(value, 3), "s", round(baseline, 3), ratio, TARGET, ratio <= TARGET
    )


class _Over(Exception):  # noqa: N818 - it is no error
    """The transaction is over, and rolled back."""


@contextlib.asynccontextmanager
async def _undone(database: Database) -> AsyncIterator[AsyncSession]:
    """Give a transaction that leaves nothing behind."""
    with contextlib.suppress(_Over):
        async with database.transaction() as session:
            yield session
            raise _Over


async def _fill(url: str, customers: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in _FILL.replace("$customers", str(customers)).split(";\n"):
            if statement.strip():
                await connection.execute(statement)
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
