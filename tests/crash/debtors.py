"""People of a company with debtors, who know nothing of crashes; and what debtors have to get."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import httpx
from sqlalchemy import text

from connectors.mailbox import list_mails
from models.settings import Settings
from models.store.database import Database
from models.store.dunning.telling import case_id_of
from starter.temporal import connect
from tests.api.open_items import csv_file, row
from tests.chaos.tally import rest
from tests.crash.conftest import Stack
from tests.crash.shop import AGAIN_AFTER, Json, Shop
from tests.invariants import check


class Office(Shop):
    """A company's office, used through its HTTP API."""

    def __init__(self, settings: Settings, name: str) -> None:
        super().__init__(settings, name)
        self.settings = settings
        self.numbers: list[str] = []

    async def has_debtors(self, count: int, *, overdue: int = 10) -> None:
        """Import an open item of each of so many customers; every third has no mail address."""
        due = date.today() - timedelta(days=overdue)  # noqa: DTZ011 - any day near it will do
        self.numbers = [f"{self.channel}-{place:03}" for place in range(count)]
        lines = [
            row(
                customer_no=number,
                invoice_no=f"ALT-{number}",
                invoice_date=str(due - timedelta(days=14)),
                due_date=str(due),
                email="" if self.gets_letters(number) else f"{number}@schuldner.example",
            )
            for number in self.numbers
        ]
        await self._until_answered("/api/imports/open-items", content=csv_file(*lines))

    def gets_letters(self, number: str) -> bool:
        """Whether there is no other way to this customer."""
        return self.numbers.index(number) % 3 == 0

    async def has_rule(self, document: Json) -> None:
        """Add a rule; the same again is known."""
        await self._insist("/api/rules", document)

    async def runs(self, name: str) -> Json:
        """Run a rule until somebody says that a run is over; repeated, it doubles nothing (X10)."""
        path = f"/api/rules/{quote(name)}/run"
        while True:
            told = await self._until_answered(path)
            if told["status"] == "done":
                return told
            await asyncio.sleep(AGAIN_AFTER)

    async def pays(self, number: str, amount: str) -> None:
        """Record money for the customer's invoice, twice."""
        receipt = {"invoice_no": f"ALT-{number}", "currency": "EUR", "amount": amount}
        for _ in range(2):
            await self._insist("/api/payments", receipt | {"reference": f"bank-{number}"})

    async def _until_answered(self, path: str, **more: Any) -> Json:
        """Ask until there is an answer; a server that is away says so with 5xx."""
        while True:
            try:
                answer = await self._http.post(path, timeout=30, **more)
                if answer.is_success:
                    said: Json = answer.json()
                    return said
                assert answer.status_code >= 500, f"{path} {answer.status_code}: {answer.text}"
            except httpx.TransportError:
                pass
            self.retries += 1
            await asyncio.sleep(AGAIN_AFTER)


async def quiet(stack: Stack, database: Database, office: Office, least: int) -> bool | None:
    """Whether so many of its debtors have their notice, and nothing is under way any more."""
    async with database.engine.connect() as connection:
        found = (await connection.execute(text(_STANDING), {"numbers": office.numbers})).one()
    if found.sent < least or found.waiting or found.told or found.running:
        return None
    return await rest(await connect(stack.settings)) or None


_STANDING = """select
  (select count(*) from dunning_notice n join customer c on c.id = n.customer_id
    where n.status = 'sent' and c.customer_no = any(:numbers)) as sent,
  (select count(*) from dunning_notice where status in ('proposed', 'approved')) as waiting,
  (select count(*) from outbox where delivered_at is null) as told,
  (select count(*) from dunning_run where finished_at is null) as running"""


async def each_got_one(stack: Stack, database: Database, office: Office) -> None:
    """One notice by the right way; who paid before got none. The ladders say the same."""
    mailbox = stack.settings.mailbox_dir
    assert mailbox
    arrived = Counter(mail.case_id for mail in list_mails(mailbox))
    lines = (stack.data.letters / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    printed = Counter(json.loads(line)["reference"] for line in lines)
    async with database.engine.connect() as connection:
        rows = (await connection.execute(text(_NOTICES))).all()
        open_exceptions = await connection.scalar(
            text("select count(*) from case_exception where resolved_at is null")
        )
    sent = {row.customer_no: row for row in rows}
    for number in office.numbers:
        letters = printed[f"notice-{sent[number].id}"] if number in sent else 0
        mails, by_letter = arrived[case_id_of(number)], office.gets_letters(number)
        if number in office.numbers[:3]:
            assert mails + letters <= 1, number
        else:
            assert (mails, letters) == ((0, 1) if by_letter else (1, 0)), number
            assert (sent[number].level, sent[number].notices_count) == (1, 1), number
    assert len(rows) == len(sent)
    assert open_exceptions == 0
    await check(
        database,
        mailbox=mailbox,
        client=await connect(stack.settings),
        spool=stack.data.letters,
        today=date.today(),  # noqa: DTZ011 - the stack's own
    )


_NOTICES = """select n.id, c.customer_no, k.level, k.notices_count
from dunning_notice n join customer c on c.id = n.customer_id
join dunning_case k on k.id = n.dunning_case_id where n.status = 'sent'"""
