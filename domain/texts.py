"""Texts in one form, wherever they come from."""

from __future__ import annotations

import unicodedata


def tidy(text: str) -> str:
    """Compose the characters (NFC) and leave one blank between the words, none around them."""
    # Most texts, of millions: the blank is the only space that they have, and there is one at most.
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join(unicodedata.normalize("NFC", text).split())
