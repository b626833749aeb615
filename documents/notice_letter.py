"""A notice as a letter: DIN 5008 form B, PDF/A, the same bytes for the same notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from documents.notice_view import address_lines, notice_view
from documents.typesetting import page_count, typeset
from domain.company import Company
from domain.dunning.notice import Notice


@dataclass(frozen=True, slots=True)
class NoticeLetter:
    """A finished letter; ``recipient`` are the lines in its window."""

    pdf: bytes
    pages: int
    recipient: tuple[str, ...]
    country: str


def render_notice_letter(
    notice: Notice, company: Company, *, templates: Path | None = None
) -> NoticeLetter:
    """Return the letter, in the customer's language; it is also what a mail of the notice attaches.

    ``templates`` is the folder of the user's own texts. BrokenTemplateError, before anything is
    sent, if one of them cannot be used. Takes some ten milliseconds of CPU without the GIL.
    """
    pdf = typeset("notice.typ", notice_view(notice, company, templates), notice.sent_on)
    lines = (line.replace("\N{ZERO WIDTH SPACE}", "") for line in address_lines(notice, company))
    return NoticeLetter(pdf, page_count(pdf), tuple(lines), notice.recipient.address.country)
