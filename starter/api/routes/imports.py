"""Imports: files that are streamed in, taken over whole or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from typing import Annotated

from fastapi import APIRouter, Query, Request

from connectors.bounce_mail import read_bounce
from models.store.intake import Arrival
from starter import mail_reports
from starter.account_manager_import import import_account_managers
from starter.api.auth import Finance
from starter.api.services import Uses
from starter.open_item_import import import_open_items
from starter.services import Json, now

OPEN_ITEMS = "/api/imports/open-items"
ACCOUNT_MANAGERS = "/api/imports/account-managers"
BOUNCES = "/api/imports/bounces"

_Column = Annotated[str | None, Query(max_length=100)]

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


@router.post(ACCOUNT_MANAGERS)
async def take_account_managers(
    request: Request,
    services: Uses,
    user: Finance,
    customer_column: _Column = None,
    manager_column: _Column = None,
) -> Json:
    """Take over who looks after whom; the body is the CSV file itself, ours or DATEV's."""
    with tempfile.TemporaryFile() as file:
        async for chunk in request.stream():
            file.write(chunk)
        file.seek(0)
        done = await import_account_managers(
            services.database,
            file,
            customer_column=customer_column,
            manager_column=manager_column,
            at=now(),
            by=user.name,
        )
    return {"lines": done.lines, "customers": done.customers, "managers": done.managers}


@router.post(BOUNCES)
async def take_bounce(request: Request, services: Uses, user: Finance) -> Json:
    """Take in a mail that a mail server sent back; the body is that mail, or its beginning.

    A mail that reports nothing about a mail of ours changes nothing.
    """
    mail = await request.body()
    bounce = await asyncio.to_thread(read_bounce, mail)
    if bounce is None:
        return {"outcome": "no_report"}
    arrival = Arrival("import", bounce.event_id, "mail_report", mail, now(), user.name)
    return {"outcome": await mail_reports.keep(services.database, bounce, arrival)}
