"""Prepare the embedded database: newest schema, and the sample company where none is set.

Run as ``python -m starter.stack.prepare`` when a stack starts. An installation with servers of its
own runs ``zahltag migrate`` and sets its own company: there a sample would be an accident.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import yaml

from models.codec import load_company
from models.settings import Settings
from models.store import company
from models.store.database import Database
from starter.stack import migrate

SAMPLE = migrate.ROOT / "samples" / "company.yaml"


async def prepare(settings: Settings) -> None:
    """Bring the schema up to date, and set the sample company unless a company is set."""
    await migrate.upgrade(settings)
    database = Database.connect(settings)
    async with database.transaction() as session:
        if await company.find(session) is None:
            sample = load_company(yaml.safe_load(SAMPLE.read_text(encoding="utf-8")))
            await company.put_if_absent(session, sample, at=datetime.now(UTC), by="zahltag")
    await database.close()


if __name__ == "__main__":
    asyncio.run(prepare(Settings()))
