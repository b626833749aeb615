"""The small engine behind every declared mapping: it walks the rows over a document.

It collects every problem of shape instead of stopping at the first, and raises nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from connectors.conversions import FORBIDDEN
from connectors.rows import MOST_ITEMS, Each, Field, Record, Row
from domain.errors import Problem, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Each", "Field", "Record", "Row", "read_document"]

_UNSET = object()
_STEP = re.compile(r"(?P<name>[^.\[]+)(?:\[(?P<key>\w+)=(?P<wanted>[^\]]+)\])?")


def read_document(
    document: Mapping[str, object], rows: tuple[Row, ...], what: str, *, strict: bool = False
) -> Record:
    """Walk the rows over the document; RefusedError with every problem of shape there is.

    ``what`` names the document in the sentence ("Shopify order"). ``strict`` is for our own
    formats: fields that no row reads are problems too, and a blank is no number.
    """
    walk = _Walk(strict)
    values = walk.rows(document, rows, "")
    if strict:
        walk.unknown(document, rows, "")
    if not walk.problems:
        return Record(values)
    problems = tuple(walk.problems.values())
    some = "; ".join(str(problem) for problem in problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    raise RefusedError(f"The {what} cannot be read: {some}{more}.", problems)


class _Walk:
    """One walk over one document; problems are kept by the place where they are."""

    def __init__(self, strict: bool) -> None:  # noqa: FBT001
        self.strict = strict
        self.problems: dict[str, Problem] = {}

    def rows(self, item: object, rows: tuple[Row, ...], at: str) -> dict[str, object]:
        return {
            row.fills: self._each(item, row, at)
            if isinstance(row, Each)
            else self._field(item, row, at)
            for row in rows
        }

    def _field(self, item: object, row: Field, at: str) -> object:
        for path in row.paths:
            value = self._find(item, path, at)
            if self._silent(value, row):
                continue
            try:
                return row.converts.read(value)
            except (ValueError, ArithmeticError):
                self._note(f"{at}{path}", row.converts.expected, _shown(value))
                return row.gap
        if row.required:
            self._note(f"{at}{row.paths[0]}", row.converts.expected, "nothing")
        return row.gap

    def _silent(self, value: object, row: Field) -> bool:
        if value is None or value is _UNSET:
            return True
        text_or_lenient = not self.strict or row.converts.empty == ""
        blank = isinstance(value, str) and not value.strip() and not FORBIDDEN.search(value)
        return text_or_lenient and blank

    def _each(self, item: object, row: Each, at: str) -> tuple[Record, ...]:
        found, where = self._find(item, row.reads, at), f"{at}{row.reads}"
        items = [] if found is None or found is _UNSET else found
        if not isinstance(items, list):
            self._note(where, "a list", _shown(items))
            return ()
        if not row.least <= len(items) <= row.most:
            expected = f"a list of {row.least} to {row.most} items"
            self._note(where, expected, f"{len(items)} items")
            return ()
        records = []
        for index, one in enumerate(items):
            if isinstance(one, dict):
                records.append(Record(self.rows(one, row.rows, f"{where}[{index}].")))
            else:
                self._note(f"{where}[{index}]", "an object", _shown(one))
        return tuple(records)

    def _find(self, item: object, path: str, at: str) -> object:
        """Return what stands at the path, ``_UNSET`` if there is nothing."""
        current, passed = item, at
        for step in _STEP.finditer(path):
            if current is None or current is _UNSET:
                return _UNSET
            if not isinstance(current, dict):
                self._note(passed.removesuffix("."), "an object", _shown(current))
                return _UNSET
            current = current.get(step["name"], _UNSET)
            passed = f"{passed}{step['name']}."
            if step["key"]:
                current = self._pick(current, step["key"], step["wanted"], passed)
        return current

    def _pick(self, items: object, key: str, wanted: str, passed: str) -> object:
        if items is None or items is _UNSET:
            return _UNSET
        if not isinstance(items, list):
            self._note(passed.removesuffix("."), "a list", _shown(items))
            return _UNSET
        objects = (one for one in items if isinstance(one, dict))
        return next((one for one in objects if one.get(key) == wanted), _UNSET)

    def unknown(self, item: object, rows: tuple[Row, ...], at: str) -> None:
        """Note every field that no row reads: a misspelt one would be lost without a word."""
        self._unknown_in(item, _tree(rows), at)

    def _unknown_in(self, item: object, known: _Tree, at: str) -> None:
        if isinstance(item, list):
            for index, one in enumerate(item[:MOST_ITEMS]):
                self._unknown_in(one, known, f"{at.removesuffix('.')}[{index}].")
        if not isinstance(item, dict):
            return
        for name, value in item.items():
            if name not in known:
                self._note(f"{at}{name[:60]}", f"one of the fields {', '.join(known)}", "another")
            elif known[name]:
                self._unknown_in(value, known[name], f"{at}{name}.")

    def _note(self, where: str, expected: str, found: str) -> None:
        self.problems.setdefault(where, Problem(where, expected, found))


def _tree(rows: tuple[Row, ...]) -> _Tree:
    """Return the nested names that the rows read."""
    tree = _Tree()
    for row in rows:
        for path in (row.reads,) if isinstance(row, Each) else row.paths:
            branch = tree
            for name in path.split("."):
                branch = branch.setdefault(name, _Tree())
            if isinstance(row, Each):
                branch.update(_tree(row.rows))
    return tree


class _Tree(dict[str, "_Tree"]):
    """Names of fields, each with the names below it."""


def _shown(value: object) -> str:
    """Show what was found, shortened: a refusal is no place for a whole document."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
