"""Whom a run hands to which account manager (K6): grouped once, so that no mail tells it twice.

Names and addresses of account managers stay in the database: workflows know groups by number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import RefusedError
from domain.money import Money
from models.codec import Json
from models.messages import StepRequest
from models.store import company, tasks
from models.store.dunning import runs
from models.store.dunning.runs import Run
from models.store.effects import once
from models.store.sql import Row, Statement

NO_MANAGER = "no_account_manager"
_OWNER = "admin"
_LISTED = 1000  # customer numbers in a task: more than anybody reads
_DAY = timedelta(days=1)

_GROUPS = Statement("""
select coalesce(d.manager, '') as manager, coalesce(m.email, '') <> '' as reachable,
       array_agg(c.id order by c.customer_no) as ids,
       array_agg(c.customer_no order by c.customer_no) as numbers
from dunning_claim x join customer c on c.id = x.customer_id
left join debtor d on d.customer_id = c.id
left join account_manager m on m.name = d.manager
where x.run_id = :run_id group by 1, 2 order by 1
""")
_EMAIL = Statement("select email from account_manager where name = :name")
_STORED = Statement("select result from effect where key = :key")
# What each owes now; who owes nothing any more is left out.
_DEBTORS = Statement("""
select c.customer_no, c.name, o.currency, sum(o.open_amount) as debt,
       coalesce(sum(o.open_amount) filter (where o.due_date < :today), 0) as overdue,
       min(o.due_date) filter (where o.due_date < :today) as oldest, coalesce(k.level, 0) as level
from customer c join open_item o on o.customer_id = c.id and o.open_amount > 0
left join dunning_case k on k.customer_id = c.id and k.ended_at is null
where c.id = any(cast(:ids as bigint[]))
group by c.customer_no, c.name, o.currency, k.level order by c.customer_no, o.currency
""")


@dataclass(frozen=True, slots=True)
class Debtor:
    """A customer in a manager's mail; ``debt`` and ``overdue`` are sums per currency."""

    customer_no: str
    name: str
    level: int
    debt: tuple[Money, ...]
    overdue: tuple[Money, ...]
    oldest_overdue_days: int | None


@dataclass(frozen=True, slots=True)
class News:
    """What one account manager is told about a run."""

    manager: str
    email: str
    run: Run
    company: Company
    day: date
    debtors: tuple[Debtor, ...]


async def group(session: AsyncSession, run_id: int, key: str, at: datetime) -> int:
    """Fix who is told of whom, once per run; return how many mails that makes.

    Customers whom nobody looks after, or somebody without an address, become one task.
    """
    request = StepRequest(
        key=_key(key, run_id), case_id=await _case(session, run_id), cause=f"run-{run_id}", at=at
    )

    async def effect() -> Json:
        run = await runs.get(session, run_id)
        rows = await _GROUPS.rows(session, run_id=run_id)
        await _ask_for_managers(session, run, rows, at)
        told = [row for row in rows if row["reachable"]]
        return {"groups": [{"manager": row["manager"], "ids": row["ids"]} for row in told]}

    return len((await once(session, request, effect))["groups"])


async def news(session: AsyncSession, run_id: int, key: str, number: int, at: datetime) -> News:
    """Return what to write to the manager of that number; RefusedError without an address."""
    stored: Json = await _STORED.value(session, key=_key(key, run_id))
    group = stored["groups"][number]
    email = await _EMAIL.value(session, name=group["manager"]) or ""
    run, firm = await runs.get(session, run_id), await company.get(session)
    if not email:
        raise RefusedError(
            f"Account manager {number + 1} of the run of {run.rule.name!r} has no e-mail address"
            " any more."
        )
    today = at.astimezone(ZoneInfo(firm.time_zone)).date()
    rows = await _DEBTORS.rows(session, ids=group["ids"], today=today)
    debtors = tuple(
        _debtor(list(lines), today) for _, lines in groupby(rows, lambda row: row["customer_no"])
    )
    return News(group["manager"], email, run, firm, today, debtors)


def _debtor(lines: Sequence[Row], today: date) -> Debtor:
    first, oldest = lines[0], [row["oldest"] for row in lines if row["oldest"]]
    return Debtor(
        customer_no=first["customer_no"],
        name=first["name"],
        level=first["level"],
        debt=tuple(Money(row["debt"], row["currency"]) for row in lines),
        overdue=tuple(Money(row["overdue"], row["currency"]) for row in lines if row["overdue"]),
        oldest_overdue_days=(today - min(oldest)).days if oldest else None,
    )


async def _ask_for_managers(
    session: AsyncSession, run: Run, rows: Sequence[Any], at: datetime
) -> None:
    """Create the task about customers whose account manager cannot be written to."""
    lost = [row for row in rows if not row["reachable"]]
    numbers = sorted(number for row in lost for number in row["numbers"])
    if not numbers:
        return
    nobody = sum(len(row["numbers"]) for row in lost if not row["manager"])
    firm = await company.get(session)
    more = f" and {len(numbers) - _LISTED} more" if len(numbers) > _LISTED else ""
    await tasks.create(
        session,
        key=f"run-{run.id}:{NO_MANAGER}",
        kind=NO_MANAGER,
        title=f"{len(numbers)} customers have no account manager who can be written to",
        description=f"The rule {run.rule.name!r} hands customers to their account managers."
        f" {nobody} of these have none, {len(numbers) - nobody} one without an e-mail address:"
        f" {', '.join(numbers[:_LISTED])}{more}. Look after them yourself; then set the manager"
        " with `zahltag customer edit`, or the address.",
        assignee=tasks.assignee(firm, _OWNER),
        due=at.astimezone(ZoneInfo(firm.time_zone)).date() + _DAY,
        case_id=f"rule-{run.rule_id}",
        at=at,
        context={"rule": run.rule.name, "run": run.id, "customers": numbers[:_LISTED]},
    )


def _key(key: str, run_id: int) -> str:
    return f"{key}:group_managers:run-{run_id}"


async def _case(session: AsyncSession, run_id: int) -> str:
    return f"rule-{(await runs.get(session, run_id)).rule_id}"
