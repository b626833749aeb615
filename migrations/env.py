"""How Alembic reaches the database: over the caller's connection, else by the settings.

``starter.stack.migrate`` passes a connection that holds the lock. On the command line
(``alembic revision --autogenerate``) one is made from ``ZAHLTAG_DATABASE_URL``; only there are the
tables loaded, as only there they are compared.
"""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, MetaData

given = context.config.attributes.get("connection")


def run(connection: Connection, metadata: MetaData | None = None) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_by_settings() -> None:
    import sqlmodel  # noqa: PLC0415 - an upgrade does without

    import models.tables  # noqa: F401, PLC0415 - fills the metadata
    from models.settings import Settings  # noqa: PLC0415
    from models.store.database import make_engine  # noqa: PLC0415

    engine = make_engine(Settings().database_url.get_secret_value())
    async with engine.connect() as connection:
        await connection.run_sync(run, sqlmodel.SQLModel.metadata)
        await connection.commit()
    await engine.dispose()


if given is None:
    asyncio.run(run_by_settings())
else:
    run(given)
