"""Whether the API can do its work: it needs the database, and nothing else."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from sqlalchemy import text

from starter.api.services import Uses
from starter.services import Json

router = APIRouter()

PATIENCE = 2.0


@router.get("/health")
async def health(services: Uses) -> Json:
    """Answer 200 if orders and payments can be stored now; Temporal may be away meanwhile."""
    async with asyncio.timeout(PATIENCE), services.database.transaction() as session:
        await session.execute(text("select 1"))
    return {"status": "ok"}
