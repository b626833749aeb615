"""Reading a CSV file that people send: its first line, the numbered lines after it, refusals."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

from domain.errors import Problem, RefusedError
from domain.open_items import separator_of
from models.store.dunning.opening_items import MOST_FINDINGS

Rows = Iterator[tuple[int, list[str]]]


def first_line(text: io.TextIOWrapper) -> tuple[list[str], str]:
    """Read the first line: its cells, and the character that separates them."""
    try:
        first = text.readline()
        separator = separator_of(first)
        cells = next(csv.reader([first], delimiter=separator, strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(error, 1) from error
    if not cells:
        raise RefusedError("Nothing was imported: the file is empty; its first line names columns.")
    return cells, separator


def numbered_rows(text: io.TextIOWrapper, separator: str, *, after: int = 1) -> Rows:
    """Return the numbered lines; empty ones are left out.

    Numbers are those an editor shows: of the line where a value began that goes over several.
    """
    reader, last = csv.reader(text, delimiter=separator, strict=True), after
    try:
        for cells in reader:
            number, last = last + 1, reader.line_num + after
            if any(cell.strip() for cell in cells):
                yield number, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(error, last + 1) from error


def refusal(problems: Sequence[Problem]) -> RefusedError:
    """Return the refusal of a file: every finding with its line, up to a bound."""
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


def _unreadable(error: UnicodeDecodeError | csv.Error, line: int) -> RefusedError:
    if isinstance(error, UnicodeDecodeError):
        # It is read in blocks, so nobody knows the line.
        return RefusedError("Nothing was imported: the file is not in UTF-8; save it as UTF-8.")
    what = re.sub(r"\s+", " ", str(error))[:100]
    return RefusedError(f"Nothing was imported: line {line} is not CSV ({what}).")


def _line_number(problem: Problem) -> int:
    return int(re.match(r"line (\d+)", problem.field)[1])  # type: ignore[index]
