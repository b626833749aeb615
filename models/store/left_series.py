"""Invoice series that a restore has left: numbers of them may be at customers, unknown here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import ConflictError
from models.store import history

CASE = "restore"  # restores stand in the history under a name of their own
EVENT = "restored"

_LEFT = text(
    "select at from history where case_id = :case and event = :event"
    " and detail ->> 'left_series' = :series order by id desc limit 1"
)


def note(
    session: AsyncSession, at: datetime, words: str, *, series: str, taken_at: datetime
) -> None:
    """Note a restore; ``series`` is the one that it left, empty if it goes on."""
    history.note(session, CASE, at, EVENT, words, left_series=series, taken_at=taken_at.isoformat())


async def refuse(session: AsyncSession, firm: Company) -> None:
    """Raise ConflictError if a restore has left the company's series."""
    found = await session.execute(
        _LEFT, {"case": CASE, "event": EVENT, "series": firm.invoice_series}
    )
    since = found.scalar_one_or_none()
    if since is not None:
        raise ConflictError(
            f"The invoice series {firm.invoice_series} was left when a backup was restored"
            f" ({since:%Y-%m-%d}): numbers of it may have gone out that are not known here."
            " Choose another invoice_series."
        )
