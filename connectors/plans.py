"""The rows of a mapping prepared for the walk: all that does not depend on the document, once."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from connectors.rows import Each, Row

if TYPE_CHECKING:
    from collections.abc import Callable

_Names = dict[str, "_Names"]
_STEP = re.compile(r"(?P<name>[^.\[]+)(?:\[(?P<key>\w+)=(?P<wanted>[^\]]+)\])?")


class Step(NamedTuple):
    """One step of a path; ``above`` and ``here`` are the places a problem would be at."""

    name: str
    key: str | None
    wanted: str
    above: str
    here: str


class Path(NamedTuple):
    """A path as it was declared, its steps, and the object that holds its last name.

    ``holder`` is a place in ``Level.holders``; a path that picks from a list has none.
    """

    text: str
    steps: tuple[Step, ...]
    holder: int | None
    name: str


class FieldPlan(NamedTuple):
    """A ``Field`` with everything worked out that does not depend on the document."""

    fills: str
    paths: tuple[Path, ...]
    read: Callable[[object], object]
    blank_is_silent: bool
    gap: object
    required: bool
    expected: str


class EachPlan(NamedTuple):
    """An ``Each``, likewise."""

    fills: str
    path: Path
    level: Level
    least: int
    most: int


class Level(NamedTuple):
    """Rows that are walked over one object, and the objects in it that hold their fields."""

    holders: tuple[tuple[str, ...], ...]
    rows: tuple[RowPlan, ...]


class RowPlan(NamedTuple):
    """A row, and beside it all that most need: one field, in the object ``holders[holder]``.

    ``holder`` is -1, where nothing is, for a list, for several paths, and for a path that picks.
    """

    row: FieldPlan | EachPlan
    fills: str
    holder: int
    name: str
    read: Callable[[object], object]
    optional: bool
    gap: object


class Tree(NamedTuple):
    """Names of fields, and those of them that have names below."""

    names: dict[str, None]
    below: tuple[tuple[str, Tree], ...]


class Plan(NamedTuple):
    """A mapping that is ready to be walked, and the nested names that its rows read."""

    top: Level
    known: Tree


@lru_cache(maxsize=256)
def prepared(rows: tuple[Row, ...], strict: bool) -> Plan:  # noqa: FBT001 - a cache key
    """Return the plan of a mapping; ``strict`` as in ``read_document``."""
    return Plan(_level(rows, strict=strict), _tree(_names(rows)))


def _level(rows: tuple[Row, ...], *, strict: bool) -> Level:
    holders: dict[tuple[str, ...], int] = {}
    ready: list[FieldPlan | EachPlan] = []
    for row in rows:
        if isinstance(row, Each):
            inner = _level(row.rows, strict=strict)
            ready.append(EachPlan(row.fills, _path(row.reads, holders), inner, row.least, row.most))
        else:
            ready.append(
                FieldPlan(
                    fills=row.fills,
                    paths=tuple(_path(path, holders) for path in row.paths),
                    read=row.converts.read,
                    blank_is_silent=not strict or row.converts.empty == "",
                    gap=row.gap,
                    required=row.required,
                    expected=row.converts.expected,
                )
            )
    return Level(tuple(holders), tuple(map(_row, ready)))


def _row(row: FieldPlan | EachPlan) -> RowPlan:
    if isinstance(row, EachPlan) or len(row.paths) != 1 or row.paths[0].holder is None:
        return RowPlan(row, row.fills, -1, "", str, optional=False, gap=None)
    holder, name, optional = row.paths[0].holder, row.paths[0].name, not row.required
    return RowPlan(row, row.fills, holder, name, row.read, optional, row.gap)


def _path(text: str, holders: dict[tuple[str, ...], int]) -> Path:
    steps, above = list[Step](), ""
    for step in _STEP.finditer(text):
        here = f"{above}.{step['name']}" if above else step["name"]
        steps.append(Step(step["name"], step["key"], step["wanted"] or "", above, here))
        above = here
    names = tuple(step.name for step in steps)
    picks = any(step.key for step in steps)
    holder = None if picks else holders.setdefault(names[:-1], len(holders))
    return Path(text, tuple(steps), holder, names[-1])


def _names(rows: tuple[Row, ...]) -> _Names:
    """Return the nested names that the rows read."""
    names: _Names = {}
    for row in rows:
        for path in (row.reads,) if isinstance(row, Each) else row.paths:
            branch = names
            for name in path.split("."):
                branch = branch.setdefault(name, {})
            if isinstance(row, Each):
                branch.update(_names(row.rows))
    return names


def _tree(names: _Names) -> Tree:
    below = tuple((name, _tree(inner)) for name, inner in names.items() if inner)
    return Tree(dict.fromkeys(names), below)
