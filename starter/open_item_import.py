"""Takes in a file of open items: read line by line, copied as it is read, all of it or nothing."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from itertools import islice
from typing import BinaryIO

from domain.calendar import local_date
from domain.errors import Problem
from domain.open_item_columns import Reading
from domain.open_items import Header, OpenItemLine, Reader, read_header
from models.store import company
from models.store.database import Database
from models.store.dunning import opening_items
from models.store.dunning.opening_items import MOST_FINDINGS, Imported
from starter import csv_files
from starter.csv_files import Rows

BATCH = 1000


class _Lines:
    """The lines of a file; what is wrong with them is kept in ``problems``, up to a bound."""

    def __init__(self, reader: Reader, rows: Iterator[tuple[int, list[str]]]) -> None:
        self._reader = reader
        self._rows = rows
        self.problems: list[Problem] = []

    def batch(self) -> list[OpenItemLine] | None:
        """Read some lines and return the good ones; None at the end of the file."""
        rows = list(islice(self._rows, BATCH))
        good = []
        for number, cells in rows:
            found = self._reader.read(number, cells)
            if isinstance(found, OpenItemLine):
                good.append(found)
            elif len(self.problems) <= MOST_FINDINGS:
                self.problems += found
        return good if rows else None

    async def __aiter__(self) -> AsyncIterator[OpenItemLine]:
        """Read in a thread, so that the API answers others meanwhile."""
        while (batch := await asyncio.to_thread(self.batch)) is not None:
            for line in batch:
                yield line


async def import_open_items(
    database: Database, file: BinaryIO, *, sha256: str, at: datetime, by: str
) -> Imported:
    """Import the file; RefusedError lists every bad line, and nothing was changed then.

    The same file again changes nothing. ``file`` is positioned at its start.
    """
    async with database.transaction() as session:
        firm = await company.get(session)
        today = local_date(at, firm.time_zone)
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        header, rows = await asyncio.to_thread(_open, text)
        lines = _Lines(Reader(header, Reading(header.separator, today, firm.invoice_series)), rows)
        await opening_items.stage(session, aiter(lines))
        problems = [*lines.problems, *await opening_items.findings(session)]
        if problems:
            raise csv_files.refusal(problems)
        return await opening_items.take_over(session, sha256=sha256, today=today, at=at, by=by)


def _open(text: io.TextIOWrapper) -> tuple[Header, Rows]:
    """Read the header and return it with the lines that follow."""
    cells, separator = csv_files.first_line(text)
    header = read_header(cells, separator)
    if not isinstance(header, Header):
        raise csv_files.refusal(header)
    return header, csv_files.numbered_rows(text, separator)
