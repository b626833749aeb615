"""What can come of a call to a debtor."""

from __future__ import annotations

from enum import StrEnum


class CallOutcome(StrEnum):
    """How a call ended."""

    REACHED = "reached"
    NOT_REACHED = "not_reached"
    PROMISED = "promised"
    DISPUTED = "disputed"
    WRONG_NUMBER = "wrong_number"

    @property
    def successful(self) -> bool:
        """Whether somebody was reached: what counts as a successful call (L11)."""
        return self not in {CallOutcome.NOT_REACHED, CallOutcome.WRONG_NUMBER}
