"""HTTP headers: their names do not care for case."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def header(headers: Mapping[str, str], name: str) -> str:
    """Return a header whatever its case, ``""`` if it is not there."""
    wanted = name.casefold()
    found = headers.get(wanted)  # servers write them in small letters
    if found is not None:
        return found.strip()
    return next((value for key, value in headers.items() if key.casefold() == wanted), "").strip()
