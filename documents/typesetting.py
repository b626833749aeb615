"""Typst as a function: a template and data in, the same bytes out every time.

A compiler belongs to one thread; each thread makes its own at its first document. Only our own
fonts are known to it, and a warning (an unknown font, a layout that does not settle) is an error.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import typst

from documents.glyphs import FONTS

_TEMPLATES = Path(__file__).with_name("templates")
_PAGES = re.compile(rb"/Type\s*/Pages\b[^>]*?/Count\s+(\d+)")
_local = threading.local()


class TypesettingError(RuntimeError):
    """A template did not compile cleanly: a defect of ours, never of the data."""


def typeset(template: str, data: Mapping[str, Any], day: date) -> bytes:
    """Return the PDF (A-3a, UA-1: archivable, accessible) of a template filled with ``data``.

    ``day`` is the date the document bears inside; the clock is never read.
    """
    stamp = datetime.combine(day, time(12), tzinfo=UTC)
    try:
        pdf, warnings = _compiler(template).compile_with_warnings(
            format="pdf",
            sys_inputs={"data": json.dumps(data, sort_keys=True)},
            pdf_standards=["a-3a", "ua-1"],
            timestamp=stamp,
        )
    except typst.TypstError as error:
        raise TypesettingError(f"{template}: {error}") from error
    if warnings or not isinstance(pdf, bytes):
        raise TypesettingError(f"{template}: {'; '.join(each.message for each in warnings)}")
    return pdf


def page_count(pdf: bytes) -> int:
    """Return how many pages a PDF of ours has; its page tree stands in clear."""
    return max(int(count) for count in _PAGES.findall(pdf))


def _compiler(template: str) -> typst.Compiler:
    compilers: dict[str, typst.Compiler] = _local.__dict__.setdefault("compilers", {})
    if template not in compilers:
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(FONTS)]
        )
        compilers[template] = typst.Compiler(
            input=str(_TEMPLATES / template),
            root=str(_TEMPLATES),
            font_paths=fonts,
            sys_inputs={"data": "{}"},
        )
    return compilers[template]
