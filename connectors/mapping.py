"""The small engine behind every declared mapping: it walks the rows over a document.

It collects every problem of shape instead of stopping at the first, and raises nothing else.
The rows are prepared once; where a problem is gets spelled out only when there is one.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.conversions import FORBIDDEN
from connectors.plans import EachPlan, FieldPlan, Level, Path, Tree, prepared
from connectors.rows import MOST_ITEMS, Each, Field, Record, Row
from domain.errors import Problem, RefusedError

__all__ = ["Each", "Field", "Record", "Row", "read_document"]

_NOTHING: Mapping[str, object] = {}


def read_document(
    document: Mapping[str, object], rows: tuple[Row, ...], what: str, *, strict: bool = False
) -> Record:
    """Walk the rows over the document; RefusedError with every problem of shape there is.

    ``what`` names the document in the sentence ("Shopify order"). ``strict`` is for our own
    formats: fields that no row reads are problems too, and a blank is no number.
    """
    plan = prepared(rows, strict)
    walk = _Walk()
    values = walk.rows(document, plan.top, "")
    if strict:
        walk.unknown(document, plan.known, "")
    if not walk.problems:
        return Record(values)
    problems = tuple(walk.problems.values())
    some = "; ".join(str(problem) for problem in problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    raise RefusedError(f"The {what} cannot be read: {some}{more}.", problems)


class _Walk:
    """One walk over one document; problems are kept by the place where they are."""

    def __init__(self) -> None:
        self.problems: dict[str, Problem] = {}

    def rows(self, item: Mapping[str, object], level: Level, at: str) -> dict[str, object]:
        held = [*(_held(item, names) for names in level.holders), None]
        values: dict[str, object] = {}
        for row, fills, place, name, read, optional, gap in level.rows:
            holder = held[place]
            value = None if holder is None else holder.get(name)
            if value is None:
                plain = optional and holder is not None
                values[fills] = gap if plain else self._look(item, held, row, at)
            elif isinstance(value, str) and (not value or value.isspace()):
                values[fills] = self._look(item, held, row, at)
            else:
                try:
                    values[fills] = read(value)
                except (ValueError, ArithmeticError):
                    values[fills] = self._look(item, held, row, at)
        return values

    def _look(self, item: object, held: _Held, row: FieldPlan | EachPlan, at: str) -> object:
        if isinstance(row, EachPlan):
            return self._each(item, held, row, at)
        return self._field(item, held, row, at)

    def _field(self, item: object, held: _Held, row: FieldPlan, at: str) -> object:
        """Read what is not plainly there: on every path, and saying what is wrong."""
        _, paths, read, blank_is_silent, gap, required, expected = row
        for path in paths:
            value = self._value(item, held, path, at)
            if value is None or (blank_is_silent and isinstance(value, str) and _is_blank(value)):
                continue
            try:
                return read(value)
            except (ValueError, ArithmeticError):
                self._note(f"{at}{path.text}", expected, _shown(value))
                return gap
        if required:
            self._note(f"{at}{paths[0].text}", expected, "nothing")
        return gap

    def _each(self, item: object, held: _Held, row: EachPlan, at: str) -> tuple[Record, ...]:
        found, where = self._value(item, held, row.path, at), f"{at}{row.path.text}"
        items = [] if found is None else found
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
                records.append(Record(self.rows(one, row.level, f"{where}[{index}].")))
            else:
                self._note(f"{where}[{index}]", "an object", _shown(one))
        return tuple(records)

    def _value(self, item: object, held: _Held, path: Path, at: str) -> object:
        """Return what stands at the path; None if there is nothing, or null."""
        if path.holder is not None:
            holder = held[path.holder]
            if holder is not None:
                return holder.get(path.name)
        return self._find(item, path, at)

    def _find(self, item: object, path: Path, at: str) -> object:
        """Go to the path step by step, and note what is in the way."""
        current = item
        for name, key, wanted, above, here in path.steps:
            if current is None:
                return None
            if not isinstance(current, dict):
                self._note(f"{at}{above}".removesuffix("."), "an object", _shown(current))
                return None
            current = current.get(name)
            if key:
                current = self._pick(current, key, wanted, f"{at}{here}")
        return current

    def _pick(self, items: object, key: str, wanted: str, where: str) -> object:
        if items is None:
            return None
        if not isinstance(items, list):
            self._note(where, "a list", _shown(items))
            return None
        objects = (one for one in items if isinstance(one, dict))
        return next((one for one in objects if one.get(key) == wanted), None)

    def unknown(self, item: object, known: Tree, at: str) -> None:
        """Note every field that no row reads: a misspelt one would be lost without a word."""
        if isinstance(item, list):
            for index, one in enumerate(item[:MOST_ITEMS]):
                self.unknown(one, known, f"{at.removesuffix('.')}[{index}].")
        if not isinstance(item, dict):
            return
        if not item.keys() <= known.names.keys():
            expected = f"one of the fields {', '.join(known.names)}"
            for name in [name for name in item if name not in known.names]:
                self._note(f"{at}{name[:60]}", expected, "another")
        for name, below in known.below:
            if name in item:
                self.unknown(item[name], below, f"{at}{name}.")

    def _note(self, where: str, expected: str, found: str) -> None:
        self.problems.setdefault(where, Problem(where, expected, found))


_Held = list[Mapping[str, object] | None]


def _held(item: object, names: tuple[str, ...]) -> Mapping[str, object] | None:
    """Return the object under the names; an empty one for a gap, None if it is no object."""
    for name in names:
        item = item.get(name) if isinstance(item, dict) else item
        if item is None:
            return _NOTHING
    return item if isinstance(item, dict) else None


def _is_blank(text: str) -> bool:
    return not text.strip() and not FORBIDDEN.search(text)


def _shown(value: object) -> str:
    """Show what was found, shortened: a refusal is no place for a whole document."""
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
