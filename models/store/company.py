"""The company's profile: one row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import RefusedError
from models.codec import dump_company, read_company
from models.store import left_series
from models.store.sql import Statement
from models.tables import CompanyRow

_PROFILE = Statement("select cast(profile as text) from company")


async def find(session: AsyncSession) -> Company | None:
    """Return the company, or None where none is set."""
    profile = await _PROFILE.value(session)
    return read_company(profile) if profile else None


async def get(session: AsyncSession) -> Company:
    """Return the company; RefusedError where none is set."""
    return of(await _PROFILE.value(session))


def of(profile: str | None) -> Company:
    """Return the company whose profile was read; RefusedError where there is none."""
    if profile is None:
        raise RefusedError("No company is set yet. Set it with `zahltag company set FILE`.")
    return read_company(profile)


async def put(session: AsyncSession, company: Company, *, at: datetime, by: str) -> None:
    """Set the company; documents made before keep what they say.

    ConflictError for an invoice series that a restore has left.
    """
    await left_series.refuse(session, company)
    values = {"profile": dump_company(company), "set_at": at, "set_by": by}
    await session.exec(
        insert(CompanyRow)
        .values(id=1, **values)
        .on_conflict_do_update(index_elements=["id"], set_=values)
    )


async def put_if_absent(session: AsyncSession, company: Company, *, at: datetime, by: str) -> None:
    """Set the company unless one is set: how a fresh embedded stack gets its sample."""
    await session.exec(
        insert(CompanyRow)
        .values(id=1, profile=dump_company(company), set_at=at, set_by=by)
        .on_conflict_do_nothing()
    )
