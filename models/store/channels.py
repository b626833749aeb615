"""Channels: configured connections, each with a secret that is sealed before it gets here."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from models.tables import Channel


async def find(session: AsyncSession, name: str) -> Channel | None:
    """Return a channel, or None if there is none of that name."""
    return (await session.exec(select(Channel).where(Channel.name == name))).one_or_none()


async def get(session: AsyncSession, name: str) -> Channel:
    """Return a channel; NotFoundError if there is none of that name."""
    channel = await find(session, name)
    if channel is None:
        raise NotFoundError(f"There is no channel {name}; `zahltag channel list` shows them.")
    return channel


async def list_all(session: AsyncSession) -> list[Channel]:
    """Return all channels by name."""
    return list(await session.exec(select(Channel).order_by(col(Channel.name))))


async def add_if_absent(
    session: AsyncSession, name: str, source: str, sealed: str, at: datetime
) -> bool:
    """Add a channel; False if there is one of that name already."""
    added = await session.execute(
        insert(Channel)
        .values(name=name, source=source, secret=sealed, created_at=at)
        .on_conflict_do_nothing()
        .returning(col(Channel.name))
    )
    return added.scalar_one_or_none() is not None


async def remove(session: AsyncSession, name: str) -> None:
    """Remove a channel: what it sends is refused from now on. Its orders stay."""
    await session.delete(await get(session, name))
