"""Values made safe for a line of text: in a header, a mail, a template."""

from __future__ import annotations

import re
import unicodedata

_LONGEST = 300


def one_line(text: str) -> str:
    """Return the text without line breaks and control characters: safe in a header and a line."""
    kept = (
        " " if unicodedata.category(each) in {"Cc", "Zl", "Zp"} else each
        for each in text[:_LONGEST]
        if unicodedata.category(each) not in {"Cf", "Cs", "Co", "Cn"}
    )
    return re.sub(" +", " ", "".join(kept)).strip()
