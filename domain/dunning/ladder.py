"""The ladder of one dunning case: level (Mahnstufe) and counters, per customer (X8, X11).

They rise when a notice was sent, never when it is proposed (X2). When nothing is overdue any more
the case ends; the next one begins at the bottom.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

TEMPLATES = ("payment_reminder", "first_notice", "final_notice", "instalment_reminder")


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where a customer stands in the current dunning case.

    ``notices`` counts what rules sent (L2), ``calls`` the calls made (L3), ``last_notice_on`` is
    the local day of the last notice that counted (L5).
    """

    level: int = 0
    notices: int = 0
    calls: int = 0
    last_notice_on: date | None = None


def notice_sent(
    ladder: Ladder, on: date, *, by_rule: bool = True, raise_level: bool = False
) -> Ladder:
    """Return the ladder after a notice went out on a local day.

    A rule's notice raises level and counters. One that a person writes does neither (L14), unless
    the person says so: Mahnstufe erhoehen (L15); then it counts like a rule's.
    """
    if not (by_rule or raise_level):
        return ladder
    return replace(ladder, level=ladder.level + 1, notices=ladder.notices + 1, last_notice_on=on)


def call_made(ladder: Ladder) -> Ladder:
    """Return the ladder after a call; it changes neither the level nor the days since a notice."""
    return replace(ladder, calls=ladder.calls + 1)


def template_of(level: int) -> str:
    """Return the template for the notice that brings a customer to ``level`` (1 is the first)."""
    if level < 1:
        raise ValueError("the first notice brings a customer to level 1")
    return TEMPLATES[min(level, 3) - 1]


def proposer(*, rule: bool, asked_by: str) -> str:
    """Return who counts as the proposer of a step, who then cannot approve it (four eyes).

    What a rule proposes has none, also when somebody pressed "run now" (X14).
    """
    return "" if rule else asked_by
