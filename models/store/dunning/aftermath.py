"""Dunning after a restore: what may have gone out after the backup is not sent again.

Notices that were under way are dropped, what was claimed and not answered is left, unfinished runs
are over, and no rule acts on its own before a person has looked who got notices meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.calendar import local_date
from models.dunning_tables import DunningNotice, DunningRule
from models.store import company, history, mails, tasks
from models.store.dunning import notices, rules
from models.store.dunning.telling import case_id_of
from models.store.sql import Statement
from models.tables import Customer

REASON = "it may have gone out after the backup was taken"
# Far more notices than go out between a backup and its restore.
APART = 1_000_000

_MARK_MAILS = Statement("""
update outgoing_mail m set state = :state, outcome = :reason
from dunning_notice n join customer c on c.id = n.customer_id
where n.status in ('proposed', 'approved') and m.state <> 'sent'
  and m.key = 'dunning-' || c.customer_no || '\\:send_notice\\:notice-' || n.id
""")
# What counts as answered is not planned by its case.
_ANSWER = Statement("""
insert into effect (key, case_id, step, request_sha256, result, done_at)
select a.case_id || '\\:' || a.step || '\\:' || a.cause, a.case_id, a.step, '', :result, :at from (
  select 'dunning-' || c.customer_no as case_id, 'answer_claim' as step, 'claim-' || x.id as cause
  from dunning_claim x join customer c on c.id = x.customer_id
  where x.run_id is not null and x.day >= :since
  union all
  select 'dunning-' || c.customer_no, 'answer_bounce', 'bounce-' || b.id
  from mail_bounce b join dunning_notice n on n.mail_id = b.mail_id
  join customer c on c.id = n.customer_id where b.action = 'failed') a
on conflict do nothing
""")
_END_RUNS = Statement("update dunning_run set finished_at = :at where finished_at is null")
_NEVER_THE_SAME = Statement("""
select setval(pg_get_serial_sequence('dunning_notice', 'id'),
  (coalesce(max(id), 0) / :apart + 1) * :apart) from dunning_notice
""")


@dataclass(frozen=True, slots=True)
class Stilled:
    """Which notices were dropped, and which rules paused."""

    notices: tuple[int, ...] = ()
    rules: tuple[str, ...] = ()


async def still(session: AsyncSession, since: str, at: datetime) -> Stilled:
    """Let nothing go out that may have gone out before; ``since`` is when the backup was taken.

    Notices get numbers that were never used: mails and letters are known by them.
    """
    firm = await company.find(session)
    if firm is None:
        return Stilled()
    today = local_date(at, firm.time_zone)
    result = {"done": False, "reason": REASON}
    await _ANSWER.run(session, since=today - timedelta(days=366), result=result, at=at)
    await _END_RUNS.run(session, at=at)
    await _NEVER_THE_SAME.run(session, apart=APART)
    dropped = await _drop(session, at)
    paused = await _pause(session, at)
    accounting = tasks.assignee(firm, "accounting")
    if dropped:
        listed = ", ".join(f"{notice} to customer {number}" for notice, number in dropped)
        await tasks.create(
            session,
            key=f"restored-notices:{at.isoformat()}",
            kind="restored_notices",
            title=f"Find out which of {len(dropped)} notices went out",
            description=f"They were under way when the backup of {since} was taken, and were"
            f" dropped, for {REASON}: notice {listed}.",
            assignee=accounting,
            due=today,
            case_id=None,
            at=at,
            context={"notices": [notice for notice, _ in dropped]},
        )
    if paused:
        await tasks.create(
            session,
            key=f"restored-rules:{at.isoformat()}",
            kind="restored_rules",
            title=f"Check who got notices since {since}, then resume {len(paused)} rules",
            description="What was sent after the backup is not known here: the levels of those"
            " customers are too low, and rules would remind them again. Look into the mail server"
            " and the letters, then: "
            + "; ".join(f"zahltag rule resume {name!r}" for name in paused),
            assignee=accounting,
            due=today,
            case_id=None,
            at=at,
            context={"rules": list(paused)},
        )
    return Stilled(tuple(notice for notice, _ in dropped), paused)


async def _drop(session: AsyncSession, at: datetime) -> list[tuple[int, str]]:
    """Drop what was under way; return each notice with its customer's number."""
    await _MARK_MAILS.run(session, state=mails.FAILED, reason=REASON)
    query = (
        select(DunningNotice, Customer.customer_no)
        .join(Customer, col(Customer.id) == DunningNotice.customer_id)
        .where(col(DunningNotice.status).in_(("proposed", "approved")))
        .order_by(col(DunningNotice.id))
    )
    found = list(await session.exec(query))
    for notice, number in found:
        await notices.drop(session, case_id_of(number), notice, REASON, at)
    return [(notice.id or 0, number) for notice, number in found]


async def _pause(session: AsyncSession, at: datetime) -> tuple[str, ...]:
    query = (
        select(DunningRule.name)
        .where(col(DunningRule.removed_at).is_(None), col(DunningRule.paused).is_(False))
        .order_by(col(DunningRule.priority))
    )
    names = tuple(await session.exec(query))
    for name in names:
        await rules.set_paused(session, name, paused=True, at=at, by=history.SYSTEM)
    return names
