"""Brings the database's schema to the newest version; safe if several do it at once.

Run as ``python -m starter.stack.migrate`` with the settings of the environment.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.pool import NullPool

from models.settings import Settings
from models.store.database import make_engine

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

ROOT = Path(__file__).resolve().parents[2]
# Any number, the same for all who migrate: "zahltag" in letters' places of the alphabet.
LOCK = 26_01_08_12_20_01_07


async def upgrade(settings: Settings) -> None:
    """Run every migration that is missing, in one transaction."""
    async with connected(settings) as connection:
        # Held until the commit: who comes second waits and then finds nothing to do.
        await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK})
        await connection.run_sync(apply)
        await connection.commit()


async def versions(settings: Settings) -> tuple[str | None, str | None]:
    """The schema's version in the database, and the newest one there is."""
    async with connected(settings) as connection:
        current = await connection.run_sync(
            lambda sync: MigrationContext.configure(sync).get_current_revision()
        )
    return current, ScriptDirectory.from_config(_config()).get_current_head()


def revisions() -> list[str]:
    """Every version of the schema that this program knows, oldest first."""
    script = ScriptDirectory.from_config(_config())
    return [each.revision for each in reversed(list(script.walk_revisions()))]


@contextlib.asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[AsyncConnection]:
    """One connection of its own, without a limit of time for a statement; closed at the end."""
    engine = make_engine(settings.database_url.get_secret_value(), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


def apply(connection: Connection, revision: str = "head") -> None:
    """Run the migrations up to a version, within the caller's transaction."""
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _config() -> Config:
    """Alembic's configuration, found from here: the working directory may be any."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    return config


if __name__ == "__main__":
    asyncio.run(upgrade(Settings()))
