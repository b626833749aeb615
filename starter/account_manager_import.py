"""Takes in a file of account managers: our own three columns, or DATEV's customer master data."""

from __future__ import annotations

import asyncio
import codecs
import io
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import islice
from typing import BinaryIO

from domain.account_managers import ManagerFile, ManagerLine, is_datev, read_columns
from domain.errors import Problem
from models.store.database import Database
from models.store.dunning import managers
from models.store.dunning.managers import Assigned
from models.store.dunning.opening_items import MOST_FINDINGS
from starter import csv_files
from starter.csv_files import Rows

BATCH = 1000


class _Lines:
    """The lines of a file; what is wrong with them is kept in ``problems``, up to a bound."""

    def __init__(self, columns: ManagerFile, rows: Rows) -> None:
        self._columns = columns
        self._rows = rows
        self.problems: list[Problem] = []

    def batch(self) -> list[ManagerLine] | None:
        """Read some lines and return the good ones; None at the end of the file."""
        rows = list(islice(self._rows, BATCH))
        good = []
        for number, cells in rows:
            found = self._columns.read(number, cells)
            if isinstance(found, ManagerLine):
                good.append(found)
            elif found and len(self.problems) <= MOST_FINDINGS:
                self.problems += found
        return good if rows else None

    async def __aiter__(self) -> AsyncIterator[ManagerLine]:
        """Read in a thread, so that the API answers others meanwhile."""
        while (batch := await asyncio.to_thread(self.batch)) is not None:
            for line in batch:
                yield line


async def import_account_managers(
    database: Database,
    file: BinaryIO,
    *,
    customer_column: str | None,
    manager_column: str | None,
    at: datetime,
    by: str,
) -> Assigned:
    """Import the file; RefusedError lists every bad line, and nothing was changed then.

    The same file again changes nothing. ``file`` is positioned at its start.
    """
    columns, rows = await asyncio.to_thread(_open, file, customer_column, manager_column)
    lines = _Lines(columns, rows)
    async with database.transaction() as session:
        await managers.stage(session, aiter(lines), datev=columns.datev)
        problems = [*lines.problems, *await managers.findings(session)]
        if problems:
            raise csv_files.refusal(problems)
        return await managers.take_over(session, at=at, by=by)


def _open(
    file: BinaryIO, customer_column: str | None, manager_column: str | None
) -> tuple[ManagerFile, Rows]:
    """Find the columns and return them with the lines that follow."""
    text = io.TextIOWrapper(file, encoding=_encoding(file), newline="")
    cells, separator = csv_files.first_line(text)
    line = 1
    if is_datev(cells):
        line = 2
        cells, separator = csv_files.first_line(text)
    columns = read_columns(cells, line, customer=customer_column, manager=manager_column)
    if not isinstance(columns, ManagerFile):
        raise csv_files.refusal(columns)
    return columns, csv_files.numbered_rows(text, separator, after=line)


def _encoding(file: BinaryIO) -> str:
    """Tell the encoding: UTF-8; DATEV writes Windows-1252 too, and says nothing about it."""
    begin = file.read(16).removeprefix(codecs.BOM_UTF8)
    file.seek(0)
    if not begin.lstrip(b'"').startswith((b"EXTF", b"DTVF", b"Konto")):
        return "utf-8-sig"
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while chunk := file.read(1 << 20):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1252"
    finally:
        file.seek(0)
    return "utf-8-sig"
