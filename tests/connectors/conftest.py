"""A CRM on this machine for the tests of its connectors."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.crm_server import Crm, serving


@pytest_asyncio.fixture
async def crm() -> AsyncIterator[Crm]:
    """An empty CRM that answers like HubSpot and Pipedrive."""
    async with serving() as made:
        yield made
