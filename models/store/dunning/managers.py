"""Account managers (Kundenbetreuer): who looks after whom, and where mails reach them (K6, H6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import asyncpg
from sqlalchemy import RowMapping, text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.account_managers import ManagerLine
from domain.errors import Problem
from models.store.dunning.opening_items import MOST_FINDINGS, PATIENCE

_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('account_manager_import', 0))"
_STAGE = """
create temporary table stage (
  line integer not null, customer_no text not null, manager text not null, email text not null
) on commit drop
"""
_COLUMNS = ("line", "customer_no", "manager", "email")

_LEAVE_OUT = """
delete from stage s where not exists (select from customer c where c.customer_no = s.customer_no)
"""

_FINDINGS = """
select line, field, expected, found from (
  select s.line, 'customer_no' as field, 'the number of a customer' as expected,
         s.customer_no as found
  from stage s where not exists (select from customer c where c.customer_no = s.customer_no)
  union all
  select s.line, 'customer_no', 'each customer once', s.customer_no || ', as in line ' || s.first
  from (select line, customer_no, min(line) over (partition by customer_no) as first
        from stage) s where s.line > s.first
  union all
  select s.line, 'email', 'one address for ' || s.manager || ', as in line ' || f.line, s.email
  from stage s join (
    select distinct on (manager) manager, line, email from stage where email <> ''
    order by manager, line) f using (manager)
  where s.email not in ('', f.email)
  union all
  select min(s.line), 'email',
         'an e-mail address: set it first with `zahltag account-manager set`',
         s.manager || ' has none'
  from stage s where not exists (select from account_manager a where a.name = s.manager)
  group by s.manager having max(s.email) = ''
) found
order by line, field limit $1
"""

_MANAGERS = """
with put as (
  insert into account_manager as a (name, email, updated_at)
  select manager, max(email), $1::timestamptz from stage where email <> '' group by manager
  on conflict (name) do update set email = excluded.email, updated_at = excluded.updated_at
  where a.email <> excluded.email returning 1)
select count(*) from put
"""

# Whoever changes a debtor holds its lock.
_CHANGED = """
create temporary table changed on commit drop as
select c.id, c.customer_no, s.manager from stage s join customer c using (customer_no)
left join debtor d on d.customer_id = c.id where coalesce(d.manager, '') <> s.manager
order by c.id for no key update of c
"""
_DEBTORS = """
insert into debtor (customer_id, problematic, preferred_contact, credit_limit, manager,
  custom_field_1, custom_field_2, custom_field_3, custom_field_4, custom_field_5, custom_field_6,
  custom_field_7, updated_at)
select id, false, '', null, manager, '', '', '', '', '', '', '', $1::timestamptz
from changed order by id
on conflict (customer_id) do update set manager = excluded.manager,
  updated_at = excluded.updated_at
"""
_HISTORY = """
insert into history (case_id, at, actor, event, text, detail)
select 'dunning-' || customer_no, $1::timestamptz, $2, 'customer_changed', 'Changed: manager', '{}'
from changed order by id
"""

_LIST = text("""
select coalesce(a.name, d.manager) as name, a.email, coalesce(d.customers, 0) as customers
from account_manager a full join (
  select manager, count(*) as customers from debtor where manager <> '' group by manager
) d on d.manager = a.name
order by 1
""")

_SET = text("""
insert into account_manager as a (name, email, updated_at) values (:name, :email, :at)
on conflict (name) do update set email = excluded.email, updated_at = excluded.updated_at
where a.email <> excluded.email returning name
""")


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an import did: how many lines named a customer of ours, and what was new in them."""

    lines: int
    customers: int
    managers: int


async def stage(session: AsyncSession, lines: AsyncIterator[ManagerLine], *, datev: bool) -> None:
    """Copy the lines into a temporary table of this transaction; one import runs at a time.

    ``datev``: lines about accounts that are no customers of ours are left out.
    """
    driver = await _driver(session)
    await driver.execute(_ONE_AT_A_TIME, timeout=PATIENCE)
    await driver.execute(_STAGE)
    await driver.copy_records_to_table(
        "stage", records=_records(lines), columns=_COLUMNS, timeout=PATIENCE
    )
    await driver.execute("analyze stage")
    if datev:
        await driver.execute(_LEAVE_OUT, timeout=PATIENCE)


async def findings(session: AsyncSession) -> list[Problem]:
    """Return what only all lines together, or what is known already, show to be wrong."""
    rows = await (await _driver(session)).fetch(_FINDINGS, MOST_FINDINGS, timeout=PATIENCE)
    return [
        Problem(f"line {row['line']}, {row['field']}", row["expected"], row["found"])
        for row in rows
    ]


async def take_over(session: AsyncSession, *, at: datetime, by: str) -> Assigned:
    """Assign the customers and keep the addresses; what is so already is not written again."""
    driver = await _driver(session)
    lines = await driver.fetchval("select count(*) from stage")
    managers = await driver.fetchval(_MANAGERS, at, timeout=PATIENCE)
    await driver.execute(_CHANGED, timeout=PATIENCE)
    customers = await driver.fetchval("select count(*) from changed")
    await driver.execute(_DEBTORS, at, timeout=PATIENCE)
    await driver.execute(_HISTORY, at, by, timeout=PATIENCE)
    return Assigned(lines, customers, managers)


async def list_all(session: AsyncSession) -> Sequence[RowMapping]:
    """Return all account managers by name, with how many customers each has.

    One without an e-mail address was only named: no mail reaches that one.
    """
    return (await session.execute(_LIST)).mappings().all()


async def put(session: AsyncSession, name: str, email: str, at: datetime) -> bool:
    """Set where mails reach an account manager; False if it is that address already."""
    row = await session.execute(_SET, {"name": name, "email": email, "at": at})
    return row.first() is not None


async def _driver(session: AsyncSession) -> asyncpg.Connection:
    """Return the driver's connection; SQLAlchemy has begun the transaction on it."""
    raw = await (await session.connection()).get_raw_connection()
    return cast("asyncpg.Connection", raw.driver_connection)


async def _records(lines: AsyncIterator[ManagerLine]) -> AsyncIterator[tuple[int, str, str, str]]:
    async for one in lines:
        yield (one.line, one.customer_no, one.manager, one.email)
