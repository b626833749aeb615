"""Who looks after which customer, as a file says it: our three columns, or DATEV's master data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.dunning.filters import LONGEST
from domain.email_addresses import is_email
from domain.errors import Problem
from domain.texts import tidy

COLUMNS = ("customer_no", "manager", "email")
# DATEV's format "Debitoren/Kreditoren": the account, and who is in charge of it.
DATEV_MARKS = ("EXTF", "DTVF")
DATEV_CUSTOMER = "Konto"
DATEV_MANAGER = "Sachbearbeiter"


@dataclass(frozen=True, slots=True)
class ManagerLine:
    """One line: a customer and its account manager; ``email`` is empty where the file has none."""

    line: int
    customer_no: str
    manager: str
    email: str


@dataclass(frozen=True, slots=True)
class ManagerFile:
    """Where the columns stand. ``datev``: accounts we do not know are left out, empty ones too."""

    width: int
    customer: int
    manager: int
    email: int | None
    datev: bool

    def read(self, line: int, cells: Sequence[str]) -> ManagerLine | list[Problem] | None:
        """Return what the line says, None for one that says nothing, or every finding."""
        if len(cells) != self.width:
            return [Problem(f"line {line}", f"{self.width} columns", str(len(cells)))]
        email = "" if self.email is None else tidy(cells[self.email])
        found = ManagerLine(line, tidy(cells[self.customer]), tidy(cells[self.manager]), email)
        if self.datev and not (found.customer_no and found.manager):
            return None
        problems = [
            Problem(f"line {line}, {name}", expected, repr(text[:40]) if text else "nothing")
            for name, text, expected in (
                ("customer_no", found.customer_no, "a customer's number"),
                ("manager", found.manager, "the account manager's name"),
            )
            if not text or len(text) > LONGEST or not text.isprintable()
        ]
        if email and not is_email(email):
            expected = "an e-mail address such as name@example.com"
            problems.append(Problem(f"line {line}, email", expected, repr(email[:40])))
        return problems or found


def is_datev(cells: Sequence[str]) -> bool:
    """Tell whether this is the first line of a file of DATEV, before its line of columns."""
    return bool(cells) and cells[0].strip() in DATEV_MARKS


def read_columns(
    cells: Sequence[str], line: int, *, customer: str | None = None, manager: str | None = None
) -> ManagerFile | tuple[Problem, ...]:
    """Find the columns; a file with the column ``Konto`` is one of DATEV.

    ``customer`` and ``manager`` name other columns of DATEV, such as ``Indiv. Feld 3``.
    """
    names = [cell.strip() for cell in cells]
    if DATEV_CUSTOMER in names:
        return _datev(names, line, customer or DATEV_CUSTOMER, manager or DATEV_MANAGER)
    small = [name.lower() for name in names]
    problems = [
        Problem(f"line {line}, {name[:40] or 'an empty column'}", f"one of {', '.join(COLUMNS)}")
        for name in small
        if name not in COLUMNS
    ]
    problems += [
        Problem(f"line {line}, {name}", "this column once", str(small.count(name)))
        for name in COLUMNS
        if small.count(name) != 1
    ]
    if customer or manager:
        problems.append(Problem(f"line {line}", "a file of DATEV, as columns of it are named"))
    if problems:
        return tuple(problems)
    customer_at, manager_at, email_at = map(small.index, COLUMNS)
    return ManagerFile(len(names), customer_at, manager_at, email_at, datev=False)


def _datev(
    names: list[str], line: int, customer: str, manager: str
) -> ManagerFile | tuple[Problem, ...]:
    """Other columns may stand there as often as they like: ``Leerfeld`` does."""
    problems = tuple(
        Problem(f"line {line}, {name[:40]}", "this column once", str(names.count(name)))
        for name in (customer, manager)
        if names.count(name) != 1
    )
    if problems:
        return problems
    return ManagerFile(len(names), names.index(customer), names.index(manager), None, datev=True)
