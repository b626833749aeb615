"""What a restored world has to be told: what happened after its backup is not known in it.

Letters and numbers that left the house meanwhile cannot be taken back, so nothing that may have
happened is done again blindly: invoices get numbers of a series that was never used, and orders
that were on their way to an invoice wait for a person's look; so does dunning
(``models.store.dunning.aftermath``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import Problem
from domain.order_case import Step
from models.store import cases, channels, company, history, left_series, tasks
from models.store.dunning import aftermath
from models.store.dunning.aftermath import Stilled
from models.vault import Vault

SERIES_LENGTH = 12

_UNDER_WAY = text(
    "select id from case_file where kind = 'order' and closed_at is null and invoice_no is null"
    " and waiting_for = 'nothing' and cancel_reason is null order by id"
)
_UNDOING = text(
    "select id from case_file f where kind = 'order' and closed_at is null"
    " and cancel_reason is not null"
    " and invoice_no is not null and not exists"
    " (select from invoice i where i.case_id = f.id and i.type = '384') order by id"
)
_OPEN = text("select id from case_file where closed_at is null order by id")
_ASK_ABOUT_MAILS = text(
    "update outgoing_mail set state = 'handing_over', handing_over_at = :at"
    " where state = 'intended'"
)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was done so that nothing happens twice. ``series`` is empty if the old one goes on."""

    series: str
    held: tuple[str, ...]
    stilled: Stilled


async def settle(
    session: AsyncSession,
    *,
    taken_at: datetime,
    at: datetime,
    nothing_since: bool,
    no_notice_since: bool,
) -> Aftermath:
    """Prepare restored facts for going on. ``nothing_since``: no invoice went out after them.

    ``no_notice_since``: no notice (Mahnung) did.
    A mail that was about to be sent may have been: the mail connector is asked before it goes.
    """
    await session.execute(_ASK_ABOUT_MAILS, {"at": taken_at})
    since = f"{taken_at:%Y-%m-%d %H:%M:%S} UTC"
    words = f"Restored from the backup of {since}; what happened after it is not known here"
    for case_id in (await session.execute(_OPEN)).scalars().all():
        history.note(session, case_id, at, left_series.EVENT, words)
    held = () if nothing_since else await _hold(session, since, at)
    left, series = "", ""
    firm = await company.find(session)
    if firm and not nothing_since:
        left, series = firm.invoice_series, new_series(firm.invoice_series, at)
        renamed = replace(firm, invoice_series=series, first_invoice_number=1)
        await company.put(session, renamed, at=at, by=history.SYSTEM)
    stilled = Stilled() if no_notice_since else await aftermath.still(session, since, at)
    left_series.note(session, at, words, series=left, taken_at=taken_at)
    await session.flush()
    return Aftermath(series, held, stilled)


async def _hold(session: AsyncSession, since: str, at: datetime) -> tuple[str, ...]:
    """Let what was on its way to a document with a number wait until a person has looked."""
    held = []
    for query, step, document in (
        (_UNDER_WAY, Step.CREATE_INVOICE, "an invoice"),
        (_UNDOING, Step.CANCEL_INVOICE, "a cancellation invoice"),
    ):
        problem = Problem(
            field=step.value,
            kind=tasks.STEP_FAILED,
            expected=f"a look whether the customer got {document} after the backup: if not, retry"
            " the case; if so, that document has to be taken back",
            found=f"restored from the backup of {since}",
            owner="finance",
        )
        for case_id in (await session.execute(query)).scalars().all():
            await tasks.raise_exception(session, case_id, problem, at)
            await cases.refresh(session, case_id, at)
            held.append(case_id)
    return tuple(held)


def new_series(series: str, at: datetime) -> str:
    """Name a series that was never used: ``RE`` restored on 22 November, 07:14 is RE11220714.

    The year stands in every number anyway.
    """
    plain = re.sub(r"\d{8}$", "", series) or series
    stamp = f"{at:%m%d%H%M}"
    return f"{plain[: SERIES_LENGTH - len(stamp)]}{stamp}"


async def seal_again(session: AsyncSession, old: Vault, new: Vault) -> int:
    """Seal every channel's secrets with another key; RefusedError if the old opens them not."""
    found = await channels.list_all(session)
    for channel in found:
        channel.secret = new.seal(old.open(channel.secret))
        if channel.api_token:
            channel.api_token = new.seal(old.open(channel.api_token))
    await session.flush()
    return len(found)
