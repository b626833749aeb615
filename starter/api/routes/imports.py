"""Imports: files that are streamed in, taken over whole or not at all."""

from __future__ import annotations

import hashlib
import tempfile

from fastapi import APIRouter, Request

from starter.api.auth import Finance
from starter.api.services import Json, Uses, now
from starter.open_item_import import import_open_items

OPEN_ITEMS = "/api/imports/open-items"

router = APIRouter()


@router.post(OPEN_ITEMS)
async def take_open_items(request: Request, services: Uses, user: Finance) -> Json:
    """Take open items from elsewhere over; the body is the CSV file itself."""
    with tempfile.TemporaryFile() as file:
        sha256 = hashlib.sha256()
        async for chunk in request.stream():
            sha256.update(chunk)
            file.write(chunk)
        file.seek(0)
        done = await import_open_items(
            services.database, file, sha256=sha256.hexdigest(), at=now(), by=user.name
        )
    return {
        "lines": done.lines,
        "invoices": done.invoices,
        "customers": done.customers,
        "known": done.known,
    }
