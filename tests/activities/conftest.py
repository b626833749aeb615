"""A driver over a real database, a real mailbox and a CRM for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from activities.services import Services
from connectors.mail import SmtpMailer
from domain.company import Company
from models.settings import Settings
from models.store.database import Database
from starter.stack import mailbox
from tests.activities.driver import Driver
from tests.crm_server import Crm
from tests.invariants import check


@pytest_asyncio.fixture
async def driver(
    database: Database,
    settings: Settings,
    crm: Crm,
    company: Company,  # noqa: ARG001 - set in the database
) -> AsyncIterator[Driver]:
    """Yield a driver; what it leaves behind must be sound."""
    assert settings.mailbox_dir
    async with mailbox.serving("127.0.0.1", 0, settings.mailbox_dir) as port:
        own = settings.model_copy(update={"smtp_port": port})
        mailer = SmtpMailer(own)
        yield Driver(Services(database, mailer, own, together=False), crm=crm)
        await mailer.aclose()
    await check(database, mailbox=settings.mailbox_dir)
