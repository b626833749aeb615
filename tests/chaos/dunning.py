"""The debtors of a run of chaos: rules over all of them, payments in between, one notice each."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from sqlalchemy import text

from connectors.mailbox import list_mails
from models.settings import Settings
from models.store.database import Database
from models.store.dunning.telling import case_id_of
from starter.stack.datadir import DataDir
from tests.crash.debtors import Office
from tests.workflows.arrears import REMINDER

DEBTORS = 200
RUNS = 5
_SENT = """select c.customer_no, n.id, n.status, k.level from dunning_notice n
join customer c on c.id = n.customer_id join dunning_case k on k.id = n.dunning_case_id"""


class Debts:
    """An office with debtors; a tenth of them pays at some time."""

    def __init__(self, settings: Settings) -> None:
        self.office = Office(settings, "owing")
        self.paid: list[str] = []

    async def live(self, seconds: float, chance: random.Random) -> None:
        """Import the debtors at once, then run the rule again and again while some of them pay."""
        await self.office.has_debtors(DEBTORS)
        await self.office.has_rule(REMINDER)
        self.paid = chance.sample(self.office.numbers, DEBTORS // 10)
        async with asyncio.TaskGroup() as people:
            for number in self.paid:
                people.create_task(self._pays(number, chance.uniform(0, seconds * 0.8)))
            for _ in range(RUNS):
                people.create_task(self._runs(chance.uniform(0, seconds * 0.8)))

    async def _pays(self, number: str, after: float) -> None:
        await asyncio.sleep(after)
        await self.office.pays(number, "119.00")

    async def _runs(self, after: float) -> None:
        await asyncio.sleep(after)
        await self.office.runs(REMINDER["name"])

    async def proof(self, database: Database, settings: Settings, data: DataDir) -> list[str]:
        """Return a line for everybody who got another number of notices than one."""
        assert settings.mailbox_dir
        arrived = Counter(mail.case_id for mail in list_mails(settings.mailbox_dir))
        async with database.engine.connect() as connection:
            rows = (await connection.execute(text(_SENT))).all()
        printed = {path.stem for path in data.letters.glob("*.pdf")}
        got: Counter[str] = Counter()
        lines = []
        for row in rows:
            got[row.customer_no] += f"notice-{row.id}" in printed
            if row.status == "sent" and row.level != 1:
                lines.append(f"D2 {row.customer_no} is at level {row.level}")
        for number in self.office.numbers:
            count = got[number] + arrived[case_id_of(number)]
            if count != 1 and not (number in self.paid and count == 0):
                lines.append(f"D1 {number} got {count} notices")
        return lines
