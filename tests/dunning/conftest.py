"""A database with random customers, made once: tests of selection change nothing in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest_asyncio

from activities.services import Services
from connectors.letter_spool import LetterSpool
from connectors.mail import SmtpMailer
from domain.company import Company
from domain.dunning.rule_file import read_rule
from models.settings import Settings
from models.store.database import Database
from models.store.dunning import rules
from starter.stack import mailbox
from starter.stack.throwaway import ThrowawayServer
from tests.conftest import NO_MAILBOX, make_settings
from tests.domain.dunning.rules import O1

from .driver import Driver
from .population import AT, TODAY, Person, people, settle


@dataclass(frozen=True, slots=True)
class Town:
    """People and the database that knows them; ``rule_id`` is a rule that some have rejected."""

    database: Database
    people: list[Person]
    rule_id: int


@pytest_asyncio.fixture(scope="session")
async def town(postgres: ThrowawayServer) -> AsyncIterator[Town]:
    """A hundred and twenty people."""
    url = await postgres.database()
    database = Database.connect(make_settings(url, NO_MAILBOX))
    folk = people(120, seed=20260330)
    async with database.transaction() as session:
        await rules.add(session, read_rule(O1), start=TODAY, at=AT, by="admin")
        rule_id = (await rules.get(session, O1["name"])).id
        await settle(session, folk, rule_id)
    yield Town(database, folk, rule_id)
    await database.close()
    await postgres.drop(url)


@pytest_asyncio.fixture
async def driver(database: Database, settings: Settings, company: Company) -> AsyncIterator[Driver]:
    """A company on 2 March 2026; what is left behind must be sound."""
    assert settings.mailbox_dir
    letters = settings.mailbox_dir.with_name("letters")
    letters.mkdir()
    async with mailbox.serving("127.0.0.1", 0, settings.mailbox_dir) as port:
        own = settings.model_copy(update={"smtp_port": port, "letter_spool_dir": letters})
        mailer, zone = SmtpMailer(own), ZoneInfo(company.time_zone)
        services = Services(database, mailer, own, LetterSpool(letters))
        made = Driver(services, datetime(2026, 3, 2, 7, tzinfo=zone), zone=zone)
        yield made
        await mailer.aclose()
    await made.all_is_well()
