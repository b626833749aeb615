"""The Temporal dev server: a database of an older version gets what this version needs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from models.search_attributes import SEARCH_ATTRIBUTES
from starter.stack import temporal
from starter.stack.ports import free_port

pytestmark = pytest.mark.stack


async def test_an_old_database_gets_new_attributes_and_the_retention(tmp_path: Path) -> None:
    """The server itself registers attributes only in a new database; settling does the rest."""
    port, ui_port = free_port(), free_port()
    ui = f"http://127.0.0.1:{ui_port}"
    newer = temporal.command(tmp_path / "temporal.db", port, ui_port)
    older = [word for word in newer if not word.startswith("--search-attribute=Dunning")]
    for command in (older, newer):
        server = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            async with asyncio.timeout(30):
                while not await temporal.answers(ui):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)
            if command is newer:
                await temporal.settle(f"127.0.0.1:{port}", ui)
                _, body = await temporal.fetch(f"{ui}/api/v1/namespaces/default")
                config = json.loads(body)["config"]
                assert set(config["customSearchAttributeAliases"].values()) == set(
                    SEARCH_ATTRIBUTES
                )
                assert config["workflowExecutionRetentionTtl"] == f"{90 * 86_400}s"
        finally:
            server.kill()
            await server.wait()
