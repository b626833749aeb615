"""Open items from elsewhere become open items of the same ledger: all of a file, or nothing.

The lines are copied into a temporary table and taken over by a dozen set-based statements, so that
200,000 of them need bounded memory and well under a minute. Statements go to the driver itself:
COPY has no other way, and each has its own time limit.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

import asyncpg
from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import Problem
from domain.open_items import OpenItemLine
from models.store.dunning import opening_items_sql as sql

PATIENCE = 600.0  # seconds for one statement over a large file
_ONE_AT_A_TIME = text("select pg_advisory_xact_lock(hashtextextended('open_item_import', 0))")
MOST_FINDINGS = 10_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did: how many lines there were, and what was new."""

    lines: int
    invoices: int
    customers: int

    @property
    def known(self) -> int:
        """How many lines were there before, exactly so."""
        return self.lines - self.invoices


async def stage(session: AsyncSession, lines: AsyncIterator[OpenItemLine]) -> None:
    """Copy the lines into a temporary table of this transaction; one import runs at a time."""
    await session.execute(_ONE_AT_A_TIME)
    driver = await _driver(session)
    await driver.execute(sql.STAGE)
    await driver.copy_records_to_table(
        "stage", records=_records(lines), columns=sql.COLUMNS, timeout=PATIENCE
    )
    await driver.execute("analyze stage")


async def findings(session: AsyncSession) -> list[Problem]:
    """Return what only all lines together, or what is known already, show to be wrong."""
    driver = await _driver(session)
    rows = await driver.fetch(sql.FINDINGS, MOST_FINDINGS, timeout=PATIENCE)
    return [
        Problem(f"line {row['line']}, {row['field']}", row["expected"], row["found"])
        for row in rows
    ]


async def take_over(
    session: AsyncSession, *, sha256: str, today: date, at: datetime, by: str
) -> Imported:
    """Make customers, invoices, postings, open items and dunning history of what is new.

    A customer that is known keeps the data it has. A file that brings nothing new writes nothing.
    """
    driver = await _driver(session)
    lines = await driver.fetchval("select count(*) from stage")
    await driver.execute(sql.LOCK_KNOWN_CUSTOMERS, timeout=PATIENCE)
    await driver.execute(sql.FRESH, timeout=PATIENCE)
    invoices = await driver.fetchval("select count(*) from fresh")
    if not invoices:
        return Imported(lines, 0, 0)
    await driver.execute(sql.RESERVE_NUMBERS, timeout=PATIENCE)
    customers = await driver.fetchval(sql.CUSTOMERS, at, timeout=PATIENCE)
    await driver.execute(sql.IDENTITIES, timeout=PATIENCE)
    await driver.execute(sql.DEBTORS, at, timeout=PATIENCE)
    await driver.execute(sql.NUMBERED, timeout=PATIENCE)
    await driver.execute("analyze numbered")
    await driver.execute(sql.INVOICES, at, timeout=PATIENCE)
    await driver.execute(sql.OPEN_ITEMS, timeout=PATIENCE)
    await driver.execute(sql.ENTRIES, today, at, timeout=PATIENCE)
    await driver.execute(sql.POSTINGS, timeout=PATIENCE)
    import_id = await driver.fetchval(
        sql.IMPORT, sha256, lines, invoices, customers, at, by, timeout=PATIENCE
    )
    await driver.execute(sql.ITEMS, import_id, timeout=PATIENCE)
    await driver.execute(sql.CASES, today, at, timeout=PATIENCE)
    # The books are checked now and not at the commit, whose time limit is shorter.
    await driver.execute("set constraints all immediate", timeout=PATIENCE)
    return Imported(lines, invoices, customers)


async def _driver(session: AsyncSession) -> asyncpg.Connection:
    """Return the driver's connection; SQLAlchemy has begun the transaction on it."""
    raw = await (await session.connection()).get_raw_connection()
    return cast("asyncpg.Connection", raw.driver_connection)


async def _records(lines: AsyncIterator[OpenItemLine]) -> AsyncIterator[tuple[Any, ...]]:
    async for line in lines:
        yield (
            line.line,
            line.customer_no,
            line.name,
            line.kind,
            line.email,
            line.email.casefold(),
            line.phone,
            line.vat_id,
            line.language,
            line.street,
            line.postcode,
            line.city,
            line.country,
            line.preferred_contact,
            line.credit_limit,
            line.manager,
            *line.custom_fields,
            line.invoice_no,
            line.invoice_date,
            line.due_date,
            line.amount,
            line.currency,
            line.dunning_level,
            line.notices_count,
            line.last_notice_on,
        )
