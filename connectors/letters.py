"""Letters on their way to paper: the port for letter services, and what its errors mean.

A service takes a letter once per reference. What implements it: the print spool
(``connectors.letter_spool``), a folder that a printer or print service empties.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from connectors.mail import Acceptance

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "Acceptance",
    "Letter",
    "LetterError",
    "LetterNotSentError",
    "LetterOutcomeUnknownError",
    "LetterRefusedError",
    "LetterService",
]


@dataclass(frozen=True, slots=True)
class Letter:
    """One finished letter.

    ``reference`` is ours and names this letter for ever: the same in every attempt. ``recipient``
    are name and address, line by line, as in the window; ``country`` is ISO 3166-1 alpha-2.
    ``registered`` asks for registered mail (Einschreiben). ``created_at`` has an offset.
    """

    reference: str
    pdf: bytes
    recipient: tuple[str, ...]
    country: str
    pages: int
    created_at: datetime
    registered: bool = False


class LetterError(Exception):
    """A letter was not sent as asked; the message holds no personal data."""


class LetterRefusedError(LetterError):
    """The service will never take this letter: nothing was sent, and repeating is useless."""


class LetterNotSentError(LetterError):
    """Nothing was sent, for certain; a later attempt may succeed."""


class LetterOutcomeUnknownError(LetterError):
    """The letter may have been taken: ask ``accepted`` before another attempt."""


class LetterService(Protocol):
    """What takes letters and can say later whether it has one."""

    async def send(self, letter: Letter) -> None:
        """Return once the service has the letter; raise a ``LetterError`` otherwise.

        A letter that it has already (same reference, same bytes) is not sent again.
        """

    async def accepted(self, reference: str) -> Acceptance:
        """Say whether the service has the letter of this reference."""
