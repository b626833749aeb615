"""E-mail addresses: whether a mail could be sent to one; whether it arrives only a mail can say."""

from __future__ import annotations

import re

_FORM = re.compile(r"([^@\s]+)@[^@\s]+\.[^@\s.]+")


def is_email(text: str) -> bool:
    """Whether this can be an address: of the form, and no longer than RFC 5321 4.5.3.1 allows."""
    found = _FORM.fullmatch(text)
    return found is not None and len(text) <= 254 and len(found[1]) <= 64
