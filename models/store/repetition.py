"""Whether an effect had been there before: noted by the store, read by the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_found: ContextVar[list[str] | None] = ContextVar("found", default=None)


@contextmanager
def watching() -> Iterator[list[str]]:
    """Collect the keys of effects that are found done already, in this task and those it starts."""
    keys: list[str] = []
    before = _found.set(keys)
    try:
        yield keys
    finally:
        _found.reset(before)


def found_done(key: str) -> None:
    """Note that an effect was asked for again; nobody has to be watching."""
    keys = _found.get()
    if keys is not None:
        keys.append(key)
