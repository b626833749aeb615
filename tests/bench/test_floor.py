"""The floor of the bench stays honest: it leaves behind what the chain leaves behind."""

from __future__ import annotations

from typing import Any

import asyncpg
from sqlmodel import SQLModel

from activities.services import Services
from bench.chain import Chain, case_id
from bench.floor_effects import Effects
from bench.floor_shop import FloorShop
from bench.report import figure
from connectors.mail import SmtpMailer
from connectors.mailbox import list_mails
from domain.company import Company
from domain.order_case import Step
from models.settings import Settings
from models.store.database import Database
from starter.stack import mailbox
from tests.activities.driver import Driver


class Told:
    """Stands in for Temporal's client: what the floor tells it is what a test reads."""

    def __init__(self) -> None:
        self.payments: list[int] = []

    async def start_workflow(self, *_args: Any, **_more: Any) -> None:
        """Start nothing."""

    def get_workflow_handle(self, _case_id: str) -> Told:
        """Return what takes the signal."""
        return self

    async def signal(self, _name: str, payment_id: int) -> None:
        """Note the payment."""
        self.payments.append(payment_id)


async def test_the_floor_writes_the_rows_and_mails_of_the_chain(
    database: Database,
    settings: Settings,
    company: Company,  # noqa: ARG001 - set in the database
) -> None:
    """The same number of rows in every table and the same kinds of mails, for an order each."""
    url = settings.database_url.get_secret_value()
    assert settings.mailbox_dir
    async with (
        mailbox.serving("127.0.0.1", 0, settings.mailbox_dir) as port,
        asyncpg.create_pool(url, min_size=1, max_size=2) as pool,
    ):
        own = settings.model_copy(update={"smtp_port": port})
        mailer = SmtpMailer(own)
        empty = await rows(pool)
        await by_chain(Driver(Services(database, mailer, own)), own)
        chain = await rows(pool)
        await by_floor(pool, mailer, own)
        floor = await rows(pool)
        await mailer.aclose()

    # A row that exists once however many orders there are.
    shared = {"invoice_counter"}
    assert {name: chain[name] - empty[name] for name in chain if name not in shared} == {
        name: floor[name] - chain[name] for name in floor if name not in shared
    }
    kinds = [(mail.case_id, mail.kind) for mail in list_mails(settings.mailbox_dir)]
    assert kinds == [
        (case_id(number), kind)
        for number in ("by-chain", "by-floor")
        for kind in ("invoice", "payment_confirmation")
    ]


async def by_chain(driver: Driver, settings: Settings) -> None:
    """Bring one order through the product's own steps."""
    database = driver.services.database
    chain, case = Chain(settings.database_url.get_secret_value(), database), case_id("by-chain")
    await chain.take_in("by-chain")
    await settle(driver, case)
    await chain.pay(case, (await driver.look(case)).invoice_no)
    await settle(driver, case)


async def settle(driver: Driver, case: str) -> None:
    """Run the planned steps until the case waits or ends."""
    while (progress := await driver.look(case)).plan.step not in {Step.WAIT, Step.END}:
        await driver.run(case, progress)


async def by_floor(pool: asyncpg.Pool, mailer: SmtpMailer, settings: Settings) -> None:
    """Bring one order through the floor's activities."""
    told, case = Told(), case_id("by-floor")
    effects = await Effects.load(pool, mailer, settings.mail_domain)
    client: Any = told
    shop = FloorShop(settings.database_url.get_secret_value(), pool, client)
    await shop.take_in("by-floor")
    await effects.check(case)
    await effects.invoice(case)
    number = await pool.fetchval("select invoice_no from case_file where id = $1", case)
    await shop.pay(case, number)
    await effects.reconcile(case, told.payments[0])
    await effects.confirm(case)


async def rows(pool: asyncpg.Pool) -> dict[str, int]:
    """Count the rows of every table."""
    return {
        name: await pool.fetchval(f"select count(*) from {name}")  # noqa: S608 - our own names
        for name in SQLModel.metadata.tables
    }


def test_a_figure_reaches_its_target_by_its_ratio() -> None:
    """``ok`` is said only where there is something to reach."""
    assert figure("a", 7, "s", baseline=10, target=0.7).ok is True
    assert figure("a", 6.9, "s", baseline=10, target=0.7).ok is False
    assert figure("a", 6.9, "s", baseline=10).ok is None
