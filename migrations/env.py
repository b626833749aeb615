"""How Alembic reaches the database: over the caller's connection, else by the settings.

``starter.stack.migrate`` passes a connection that holds the lock; on the command line
(``alembic revision --autogenerate``) one is made from ``ZAHLTAG_DATABASE_URL``.
"""

from __future__ import annotations

import asyncio

import sqlmodel
from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

import models.tables  # noqa: F401 - fills the metadata
from models.settings import Settings
from models.store.database import async_url


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=sqlmodel.SQLModel.metadata,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_by_settings() -> None:
    engine = create_async_engine(async_url(Settings().database_url.get_secret_value()))
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run_by_settings())
else:
    run(given)
