"""Many customers in arrears, as an import brings them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO

from models.store.database import Database
from starter.open_item_import import import_open_items
from tests.api.open_items import csv_file, row


async def put_in_arrears(database: Database, numbers: Sequence[str], at: datetime) -> None:
    """Let each owe 100.00 EUR that was due ten days ago; they are numbered from 1 on."""
    due, made = at.date() - timedelta(days=10), at.date() - timedelta(days=30)
    content = csv_file(
        *(
            row(
                customer_no=number,
                name=f"Customer {number}",
                email=f"{number.lower()}@debtor.example",
                invoice_no=f"ALT-{number}",
                invoice_date=made.isoformat(),
                due_date=due.isoformat(),
                amount="100.00",
            )
            for number in numbers
        )
    )
    digest = hashlib.sha256(content).hexdigest()
    await import_open_items(database, BytesIO(content), sha256=digest, at=at, by="tests")
