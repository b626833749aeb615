"""The process history (audit): what happened, when, who did it. Append-only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.store.sql import Statement
from models.tables import History

SYSTEM = "zahltag"

_LINE = Statement("""
insert into history (case_id, at, actor, event, text, detail)
  values (:case_id, :at, :actor, :event, :text, :detail)
""")


def note(
    session: AsyncSession,
    case_id: str,
    at: datetime,
    event: str,
    text: str,
    actor: str = SYSTEM,
    **detail: Any,  # noqa: ANN401 - any JSON value
) -> None:
    """Add a line. ``text`` is for people and holds no personal data; ``detail`` for programs.

    The lines of a transaction are written at its end, in their order.
    """
    _LINE.at_the_end(
        session, case_id=case_id, at=at, actor=actor, event=event, text=text, detail=detail
    )


async def of_case(session: AsyncSession, case_id: str) -> list[History]:
    """Return the history of a case, oldest first."""
    query = select(History).where(History.case_id == case_id).order_by(col(History.id))
    return list(await session.exec(query))
