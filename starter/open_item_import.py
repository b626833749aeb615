"""Takes in a file of open items: read line by line, copied as it is read, all of it or nothing."""

from __future__ import annotations

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from itertools import islice
from typing import BinaryIO

from domain.calendar import local_date
from domain.errors import Problem, RefusedError
from domain.open_item_columns import Reading
from domain.open_items import Header, OpenItemLine, Reader, read_header, separator_of
from models.store import company
from models.store.database import Database
from models.store.dunning import opening_items
from models.store.dunning.opening_items import MOST_FINDINGS, Imported

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
            raise _refusal(problems)
        return await opening_items.take_over(session, sha256=sha256, today=today, at=at, by=by)


def _open(text: io.TextIOWrapper) -> tuple[Header, Iterator[tuple[int, list[str]]]]:
    """Read the header and return it with the lines that follow."""
    try:
        first = text.readline()
        separator = separator_of(first)
        cells = next(csv.reader([first], delimiter=separator, strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(error, 1) from error
    if not cells:
        raise RefusedError("Nothing was imported: the file is empty; its first line names columns.")
    header = read_header(cells, separator)
    if not isinstance(header, Header):
        raise _refusal(list(header))
    return header, _rows(text, separator)


def _rows(text: io.TextIOWrapper, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Return the numbered lines; empty ones are left out.

    Numbers are those an editor shows: of the line where a value began that goes over several.
    """
    reader, last = csv.reader(text, delimiter=separator, strict=True), 1
    try:
        for cells in reader:
            number, last = last + 1, reader.line_num + 1
            if any(cell.strip() for cell in cells):
                yield number, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(error, last + 1) from error


def _unreadable(error: UnicodeDecodeError | csv.Error, line: int) -> RefusedError:
    if isinstance(error, UnicodeDecodeError):
        # It is read in blocks, so nobody knows the line.
        return RefusedError("Nothing was imported: the file is not in UTF-8; save it as UTF-8.")
    what = re.sub(r"\s+", " ", str(error))[:100]
    return RefusedError(f"Nothing was imported: line {line} is not CSV ({what}).")


def _refusal(problems: list[Problem]) -> RefusedError:
    problems = sorted(problems, key=_line_number)
    lines = len({_line_number(problem) for problem in problems})
    values = "1 value is" if len(problems) == 1 else f"{len(problems)} values are"
    shown = tuple(problems[:MOST_FINDINGS])
    more = f" The first {MOST_FINDINGS} are shown." if len(problems) > MOST_FINDINGS else ""
    return RefusedError(
        f"Nothing was imported: {values} wrong in {lines} {'line' if lines == 1 else 'lines'};"
        f" correct them and import the whole file again.{more}",
        shown,
    )


def _line_number(problem: Problem) -> int:
    return int(re.match(r"line (\d+)", problem.field)[1])  # type: ignore[index]
