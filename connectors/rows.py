"""The rows of a declared mapping (A10-A12), and the record that reading with them yields.

A row says which field is read, which field it fills, how it is converted, what stands in for a gap
and whether a gap is an error. What needs several fields at once (a discount that is the difference
of two amounts) is worked out by the connector: such rows fill a name that begins with ``~``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from connectors.conversions import Conversion, text

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_ITEMS = 1000
T = TypeVar("T")
_UNSET = object()
_TEXT = text()


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One row: ``reads`` a path (or the first of several that holds a value), ``fills`` a field.

    A path is ``billing.city``; ``meta_data[key=vat_id].value`` picks the first item of a list. Null
    and blank text count as silent: then ``default`` is taken, or, if ``required``, a problem noted.
    ``says`` is printed in the documentation.
    """

    reads: str | tuple[str, ...]
    fills: str
    converts: Conversion = _TEXT
    default: object = _UNSET
    required: bool = False
    says: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that is tried, in this order."""
        return (self.reads,) if isinstance(self.reads, str) else self.reads

    @property
    def gap(self) -> object:
        """What is taken if the source is silent."""
        return self.converts.empty if self.default is _UNSET else self.default


@dataclass(frozen=True, slots=True, eq=False)
class Each:
    """A list: every item of ``reads`` is walked with ``rows`` and becomes a ``Record``."""

    reads: str
    fills: str
    rows: tuple[Field | Each, ...]
    least: int = 0
    most: int = MOST_ITEMS
    says: str = ""


Row = Field | Each


class Record:
    """What the rows took from one object, read by the name that each row fills."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        """Return a text."""
        value = self._values[name]
        return value if isinstance(value, str) else self._as(name, str)

    def flag(self, name: str) -> bool:
        """Return yes or no."""
        return self._as(name, bool)

    def amount(self, name: str) -> Decimal:
        """Return a number that is there."""
        return self._as(name, Decimal)

    def amount_or_none(self, name: str) -> Decimal | None:
        """Return a number, or None where the source names none."""
        return None if self._values[name] is None else self._as(name, Decimal)

    def moment(self, name: str) -> datetime:
        """Return a point in time that is there."""
        return self._as(name, datetime)

    def moment_or_none(self, name: str) -> datetime | None:
        """Return a point in time, or None where the source names none."""
        return None if self._values[name] is None else self._as(name, datetime)

    def day(self, name: str) -> date:
        """Return a date that is there."""
        return self._as(name, date)

    def day_or_none(self, name: str) -> date | None:
        """Return a date, or None where the source names none."""
        return None if self._values[name] is None else self._as(name, date)

    def rows(self, name: str) -> tuple[Record, ...]:
        """Return the items of a list."""
        return self._as(name, tuple)

    def value(self, name: str, kind: type[T]) -> T:
        """Return a value of a type of ours (an enum, say)."""
        return self._as(name, kind)

    def value_or(self, name: str, otherwise: T) -> T:
        """Return a value like ``otherwise``, which stands in where the source is silent."""
        return otherwise if self._values[name] is None else self._as(name, type(otherwise))

    def _as(self, name: str, kind: type[T]) -> T:
        value = self._values[name]
        if not isinstance(value, kind):
            raise TypeError(f"the mapping fills {name} with {type(value)}, not with {kind}")
        return value
