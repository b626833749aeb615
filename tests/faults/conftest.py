"""A case's steps on servers that break: mailbox and database behind proxies."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest_asyncio
from pydantic import SecretStr
from sqlalchemy import text

from activities.services import Services
from connectors.mail import SmtpMailer
from connectors.mailbox import list_mails
from domain.company import Company
from domain.order_case import Step
from models.messages import StepRequest
from models.settings import Settings
from models.store.database import Database
from starter.stack import mailbox
from tests.activities.driver import Driver
from tests.faults.proxy import Proxy
from tests.invariants import check
from tests.workflows.house import eventually

PATIENCE = 2.0


@dataclass
class Servers:
    """The driver's mailbox and database, and what breaks the way to them.

    ``settings`` are the driver's; ``sound`` is a database that never breaks. What was mailed
    ``elsewhere`` cannot be looked up.
    """

    driver: Driver
    mail: Proxy
    database: Proxy
    settings: Settings
    sound: Database
    elsewhere: bool = False

    async def next(self, step: Step, sample: str = "zahltag-ok", **changes: object) -> StepRequest:
        """Bring a new case to that step; return the request for it."""
        case_id = await self.driver.submit(sample, **changes)
        return self.driver.request(case_id, await self.driver.until(case_id, step))

    async def attempt(self, request: StepRequest, step: Step) -> str:
        """Try a step once; return the name of the error, or nothing."""
        try:
            await self.driver.activity(step)(request)
        except Exception as error:  # noqa: BLE001 - Temporal repeats whatever it is
            return type(error).__name__
        return ""

    async def notices_it(self) -> None:
        """Wait until the database has noticed that a connection is gone, and freed its locks."""
        held = text("""select count(*) from pg_locks where locktype = 'advisory'
            and database = (select oid from pg_database where datname = current_database())""")

        async def freed() -> bool | None:
            async with self.sound.engine.connect() as connection:
                return (await connection.execute(held)).scalar_one() == 0 or None

        await eventually(freed)

    async def mail_states(self) -> list[str]:
        """Return where each mail stands."""
        async with self.sound.engine.connect() as connection:
            found = await connection.execute(text("select state from outgoing_mail order by id"))
            return list(found.scalars())

    def arrived(self) -> int:
        """Count what lies in the mailbox, doubles too."""
        assert self.settings.mailbox_dir
        return len(list_mails(self.settings.mailbox_dir))


@pytest_asyncio.fixture
async def servers(
    database: Database,
    settings: Settings,
    company: Company,  # noqa: ARG001 - set in the database
) -> AsyncIterator[Servers]:
    """Servers that work until a test breaks them; what is left behind must be sound."""
    assert settings.mailbox_dir
    url = urlsplit(settings.database_url.get_secret_value())
    to_database = Proxy(lambda: (url.hostname or "", url.port or 0))
    async with (
        mailbox.serving("127.0.0.1", 0, settings.mailbox_dir) as mailbox_port,
        to_database.listening() as database_port,
    ):
        to_mailbox = Proxy(lambda: ("127.0.0.1", mailbox_port))
        async with to_mailbox.listening() as port:
            broken = url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{database_port}")
            own = settings.model_copy(
                update={"smtp_port": port, "database_url": SecretStr(broken.geturl())}
            )
            mailer, through = SmtpMailer(own, timeout=PATIENCE), Database.connect(own)
            driver = Driver(Services(through, mailer, own, together=False))
            made = Servers(driver, to_mailbox, to_database, own, database)
            yield made
            to_mailbox.heal()
            await mailer.aclose()
            await through.close()
    await check(database, mailbox=None if made.elsewhere else settings.mailbox_dir)
