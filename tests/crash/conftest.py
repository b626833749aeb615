"""One whole stack for all crash tests: what one test has broken, the next one has to live with."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from models.settings import Settings
from starter.stack import doctor
from starter.stack.datadir import DataDir
from starter.stack.processes import marked
from starter.stack.throwaway import running_stack


@dataclass(frozen=True)
class Stack:
    """A running stack, and where it lies."""

    data: DataDir
    settings: Settings


@pytest_asyncio.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Every process of the product, real and in a directory of its own; none is left behind."""
    path = tmp_path_factory.mktemp("crash") / "data"
    async with running_stack(path) as settings:
        yield Stack(DataDir(path), settings)
    assert marked(path) == {}
    checks = {check.name: check for check in await doctor.examine(DataDir(path))}
    for name in ("process postgres", "database", "temporal", "mail server"):
        assert not checks[name].ok, name


@pytest.fixture
def seed() -> int:
    """What decides when who is killed; ``ZAHLTAG_TEST_SEED`` repeats a run."""
    chosen = int(os.environ.get("ZAHLTAG_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"ZAHLTAG_TEST_SEED={chosen}", flush=True)  # noqa: T201 - shown where a test fails
    return chosen
