"""People of a company with debtors, who know nothing of crashes: they repeat what got no answer."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import httpx

from models.settings import Settings
from tests.api.open_items import csv_file, row
from tests.crash.shop import AGAIN_AFTER, Json, Shop


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
