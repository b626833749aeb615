"""The schema comes by migrations; ``tests/crash`` shows the servers, killed in every way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from models.settings import Settings
from starter.stack import migrate
from starter.stack.throwaway import throwaway_postgres

pytestmark = pytest.mark.stack


async def test_migrating_twice_at_once_is_safe_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four at the same time, from a foreign working directory: one does it, the others wait."""
    monkeypatch.chdir(tmp_path)
    async with throwaway_postgres() as server:
        settings = Settings(_env_file=None, database_url=await server.database())
        assert (await migrate.versions(settings))[0] is None
        await asyncio.gather(*(migrate.upgrade(settings) for _ in range(4)))
        current, newest = await migrate.versions(settings)
        assert current == newest is not None
