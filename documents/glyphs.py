"""Foreign text made printable: what the font lacks must never stop an invoice.

Names and notes come from shops and their customers. Typst reads them as data, so markup in them
means nothing; but a character without a glyph fails a PDF/A, and a word without a break runs off
the page. Latin, Greek and Cyrillic are covered; of other scripts a letter becomes its plain form
where Unicode knows one, else a box, and a symbol (emoji) is left out.
"""

from __future__ import annotations

import struct
import unicodedata
from functools import lru_cache
from pathlib import Path

FONTS = Path(__file__).with_name("fonts")
FONT_FAMILY = "Source Sans 3"
MISSING = "\N{WHITE SQUARE}"
_BREAK = "\N{ZERO WIDTH SPACE}"
_BREAK_EVERY = 10


def printable(
    text: str, *, longest_word: int = 40, limit: int = 600, keep_together: bool = False
) -> str:
    """Return the text in one line of characters the font has, with breaks in overlong words.

    Longer than ``limit`` characters it ends in an ellipsis. No-break spaces stay on demand.
    """
    known = "".join(_printable_character(each) for each in unicodedata.normalize("NFC", text))
    words = [word for word in known.split(" " if keep_together else None) if word]
    line = " ".join(words)
    if len(line) > limit:
        words = [*line[: limit - 1].rstrip().split(" ")]
        words[-1] += "…"
    return " ".join(_breakable(word, longest_word) for word in words)


def _printable_character(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp", "Zs"} and character != "\N{NO-BREAK SPACE}":
        return " "
    if category[0] == "C":
        return ""
    glyphs = _glyphs()
    if ord(character) in glyphs:
        return character
    plain = "".join(
        part for part in unicodedata.normalize("NFKD", character) if ord(part) in glyphs
    )
    if plain:
        return plain
    return MISSING if category[0] in "LN" else ""


def _breakable(word: str, longest: int) -> str:
    """Let an overlong word break every few characters; shorter ones wrap as a whole."""
    if len(word) <= longest:
        return word
    pieces = (word[start : start + _BREAK_EVERY] for start in range(0, len(word), _BREAK_EVERY))
    return _BREAK.join(pieces)


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    """Read the code points every font file beside us has a glyph for."""
    tables = [_code_points(path.read_bytes()) for path in sorted(FONTS.glob("*.ttf"))]
    return frozenset.intersection(*tables)


def _code_points(font: bytes) -> frozenset[int]:
    """Return the code points of an OpenType font's ``cmap`` (its format 12 subtable)."""
    cmap = 0
    for index in range(struct.unpack_from(">H", font, 4)[0]):
        tag, _, offset, _ = struct.unpack_from(">4sIII", font, 12 + 16 * index)
        cmap = offset if tag == b"cmap" else cmap
    for index in range(struct.unpack_from(">H", font, cmap + 2)[0]):
        subtable = cmap + int(struct.unpack_from(">HHI", font, cmap + 4 + 8 * index)[2])
        if struct.unpack_from(">H", font, subtable)[0] == 12:
            return _segments(font, subtable)
    raise ValueError("the font has no full Unicode character map")


def _segments(font: bytes, subtable: int) -> frozenset[int]:
    points: set[int] = set()
    for index in range(struct.unpack_from(">I", font, subtable + 12)[0]):
        first, last, _ = struct.unpack_from(">III", font, subtable + 16 + 12 * index)
        points.update(range(first, last + 1))
    return frozenset(points)
