"""A driver over a real database, a real mailbox and a CRM for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from aiosmtpd.smtp import SMTP, Envelope, Session

from activities.services import Services
from connectors.letter_spool import LetterSpool
from connectors.mail import SmtpMailer
from domain.company import Company
from models.settings import Settings
from models.store.database import Database
from starter.stack import mailbox
from tests.activities.debtor import REFUSED
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

    class Choosy(mailbox.Handler):
        """Refuses one address for good."""

        async def handle_RCPT(  # noqa: N802 - aiosmtpd finds the hook by this name
            self, _server: SMTP, _session: Session, envelope: Envelope, to: str, _options: list[str]
        ) -> str:
            if to == REFUSED:
                return "550 5.1.1 Nobody of that name here"
            envelope.rcpt_tos.append(to)
            return "250 2.1.5 OK"

    async with mailbox.serving("127.0.0.1", 0, settings.mailbox_dir, Choosy) as port:
        letters = settings.mailbox_dir.with_name("letters")
        letters.mkdir()
        own = settings.model_copy(update={"smtp_port": port, "letter_spool_dir": letters})
        mailer = SmtpMailer(own)
        services = Services(database, mailer, own, LetterSpool(letters), together=False)
        yield Driver(services, crm=crm, mailbox=settings.mailbox_dir)
        await mailer.aclose()
    await check(database, mailbox=settings.mailbox_dir)
