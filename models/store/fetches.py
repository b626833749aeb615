"""Orders and deals that an event only named: which have to be fetched, and what became of each."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import NotFoundError, Problem
from models.store import history, outbox, tasks
from models.tables import CaseException, OrderFetch, Task

FETCH = "fetch"
FETCH_FAILED = "fetch_failed"
WAITING, RUNNING, DONE, IGNORED, FAILED = "waiting", "running", "done", "ignored", "failed"


def workflow_id(row: OrderFetch) -> str:
    """Return the id of the workflow that fetches: ``fetch-<channel>-<external id>-<number>``."""
    return f"{_prefix(row)}{row.id}"


def _prefix(row: OrderFetch) -> str:
    return f"fetch-{row.channel}-{row.external_id}-"


async def request(
    session: AsyncSession, channel: str, external_id: str, event: str, at: datetime
) -> bool:
    """Have something fetched soon; False if it waits to be fetched already.

    One that is being fetched right now may have been read before the event: it is fetched again.
    """
    statement = (
        insert(OrderFetch)
        .values(
            channel=channel,
            external_id=external_id,
            event=event,
            state=WAITING,
            outcome="",
            requested_at=at,
        )
        .on_conflict_do_nothing(
            index_elements=["channel", "external_id"], index_where=text(f"state = '{WAITING}'")
        )
        .returning(OrderFetch)
    )
    row = (await session.exec(statement)).scalars().one_or_none()
    if row is None:
        return False
    await outbox.tell(session, workflow_id(row), FETCH, at, fetch_id=row.id)
    return True


async def begin(session: AsyncSession, fetch_id: int) -> OrderFetch:
    """Return the row, which no later event may join from now on."""
    query = select(OrderFetch).where(OrderFetch.id == fetch_id).with_for_update(key_share=True)
    row = (await session.exec(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"There is no fetch {fetch_id}.")
    if row.state == WAITING:
        row.state = RUNNING
    return row


async def succeed(
    session: AsyncSession, row: OrderFetch, state: str, outcome: str, case_id: str, at: datetime
) -> None:
    """Note what came of it; what earlier failures asked of people is done with that."""
    await _settle(session, row, state, outcome, case_id or None, at)
    earlier = col(CaseException.case_id).startswith(_prefix(row), autoescape=True)
    await session.exec(
        update(CaseException)
        .where(earlier, col(CaseException.resolved_at).is_(None))
        .values(resolved_at=at, resolved_by=history.SYSTEM)
    )
    await session.exec(
        update(Task)
        .where(
            col(Task.case_id).startswith(_prefix(row), autoescape=True),
            col(Task.status) == "open",
        )
        .values(status="done", outcome="it was fetched", done_by=history.SYSTEM, done_at=at)
    )


async def fail(
    session: AsyncSession, row: OrderFetch, why: str, company: Company | None, at: datetime
) -> None:
    """Make it an exception with a task: nothing will try again before a person says so."""
    await _settle(session, row, FAILED, why[:500], None, at)
    name, owner = workflow_id(row), "order desk"
    again = f"`zahltag channel fetch {row.channel} {row.external_id}`"
    problem = Problem(
        field="deal",
        expected=f"one that can be fetched and read; mend the cause, then {again}",
        found=why[:1000],
        kind=FETCH_FAILED,
        owner=owner,
    )
    await tasks.raise_exception(session, name, problem, at)
    await tasks.create(
        session,
        key=f"{name}:{FETCH_FAILED}",
        kind=FETCH_FAILED,
        title=f"The deal {row.external_id} of {row.channel} could not be taken in",
        description=f"{why} Mend the cause, then have it fetched again with {again}.",
        assignee=tasks.assignee(company, owner) if company else "admin",
        due=at.date() + timedelta(days=1),
        case_id=name,
        at=at,
        context={"channel": row.channel, "external_id": row.external_id},
    )


async def _settle(
    session: AsyncSession,
    row: OrderFetch,
    state: str,
    outcome: str,
    case_id: str | None,
    at: datetime,
) -> None:
    values = {"state": state, "outcome": outcome, "case_id": case_id, "done_at": at}
    await session.exec(update(OrderFetch).where(col(OrderFetch.id) == row.id).values(**values))


async def latest(session: AsyncSession, channel: str) -> OrderFetch | None:
    """Return what was asked for last from a channel."""
    query = (
        select(OrderFetch)
        .where(OrderFetch.channel == channel)
        .order_by(col(OrderFetch.id).desc())
        .limit(1)
    )
    return (await session.exec(query)).one_or_none()


async def unfinished(session: AsyncSession, before: datetime) -> list[OrderFetch]:
    """Return what was to be fetched before an instant and is not."""
    query = (
        select(OrderFetch)
        .where(col(OrderFetch.done_at).is_(None), col(OrderFetch.requested_at) < before)
        .order_by(col(OrderFetch.id))
    )
    return list(await session.exec(query))
