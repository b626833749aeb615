"""The errors a rule of the business can raise, in words for the person who must act on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an input: where, what was found, and what is expected.

    ``kind`` names the exception it becomes (``missing_address``, ``duplicate_order``,
    ``tax_deviation``, ...); ``owner`` names the team that can mend it.
    """

    field: str
    expected: str
    found: str = ""
    kind: str = "invalid_data"
    owner: str = "order desk"

    def __str__(self) -> str:
        """Say it as one clause: ``billing.city: expected ..., found ...``."""
        found = f", found {self.found}" if self.found else ""
        return f"{self.field}: expected {self.expected}{found}"


class RefusedError(Exception):
    """A request that is refused: the message says in one sentence what to do instead.

    Nothing was changed. ``problems`` lists every single finding where there are several.
    """

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems


class TryLaterError(Exception):
    """Not now: the other side asked for a pause (``Retry-After``), or somebody else is at it.

    Nothing was done. ``after`` is how long to wait before the next attempt.
    """

    def __init__(self, message: str, after: timedelta) -> None:
        super().__init__(message)
        self.message = message
        self.after = after


class NotFoundError(RefusedError):
    """The thing that was asked for does not exist."""


class ConflictError(RefusedError):
    """The thing exists already with other content, or its state does not allow the request."""


class ForbiddenError(RefusedError):
    """The user is known but may not do this."""


class NotJsonError(RefusedError):
    """What was sent is not one JSON object."""


class NotReadyError(RefusedError):
    """The request is fine; the installation cannot serve it yet. Whoever sent it tries again."""
