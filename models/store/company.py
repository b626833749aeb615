"""The company's profile: one row."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.company import Company
from domain.errors import RefusedError
from models.codec import dump_company, load_company
from models.store import left_series
from models.tables import CompanyRow


async def find(session: AsyncSession) -> Company | None:
    """Return the company, or None where none is set."""
    row = (await session.exec(select(CompanyRow))).one_or_none()
    return load_company(row.profile) if row else None


async def get(session: AsyncSession) -> Company:
    """Return the company; RefusedError where none is set."""
    company = await find(session)
    if company is None:
        raise RefusedError("No company is set yet. Set it with `zahltag company set FILE`.")
    return company


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
