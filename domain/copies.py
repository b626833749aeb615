"""Changed copies of what never changes itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from operator import is_
from typing import Any, TypeVar, cast

T = TypeVar("T")


def with_parts(thing: T, **parts: object) -> T:
    """Return a dataclass with these parts; itself where it is written in the same way already.

    Most orders come in the form that they should have, and a copy of one costs more than seeing
    that. 19.0 is not the same as 19: what is stored and printed would differ.
    """
    if all(_same(part, getattr(thing, name)) for name, part in parts.items()):
        return thing
    return cast("T", replace(cast("Any", thing), **parts))


def _same(new: object, old: object) -> bool:
    if new is old:
        return True
    if isinstance(new, tuple) and isinstance(old, tuple):
        return len(new) == len(old) and all(map(is_, new, old))
    if isinstance(new, Decimal):
        return str(new) == str(old)
    return isinstance(new, str) and new == old
