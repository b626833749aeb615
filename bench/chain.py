"""The real chain: the product's own intake and receipts; dispatcher and worker are processes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from bench.orders import TOTAL, document, now
from bench.stack import set_company
from connectors.shops import SHOPS
from connectors.shops.port import parse_document
from models.settings import Settings
from models.store.database import Database
from starter.intake import read_webhook, take_order
from starter.receipts import Entry, record

CHANNEL = "bench"


class Chain:
    """Takes orders and payments in as the API does, after the signature was checked."""

    name = "chain"

    def __init__(self, url: str, database: Database) -> None:
        self.url = url
        self._database = database

    async def take_in(self, number: str) -> None:
        """Take an order in: one transaction, its case follows by itself."""
        body = document(number)
        found = read_webhook(
            SHOPS["zahltag"],
            parse_document(body),
            body,
            channel=CHANNEL,
            headers={"webhook-id": f"event-{number}"},
            at=now(),
        )
        assert found
        await take_order(self._database, *found, strict=False)

    async def pay(self, case_id: str, invoice_no: str) -> None:
        """Record the payment: one transaction, its signal follows by itself."""
        entry = Entry(invoice_no, TOTAL, "EUR", f"paid-{case_id}")
        await record(self._database, entry, at=now(), by="bench")


@contextlib.asynccontextmanager
async def open_chain(settings: Settings) -> AsyncIterator[Chain]:
    """Give the chain of a running stack, which has its company from then on."""
    database = Database.connect(settings)
    try:
        await set_company(database)
        yield Chain(settings.database_url.get_secret_value(), database)
    finally:
        await database.close()


def case_id(number: str) -> str:
    """Return the case of an order of the bench."""
    return f"order-{CHANNEL}-{number}"
