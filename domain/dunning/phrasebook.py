"""Which texts a language needs to say what comes next in dunning, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from domain.dunning.actions import Action
from domain.dunning.holds import Hold
from domain.dunning.prospect import Quiet

Language = Literal["en", "de"]


@dataclass(frozen=True, slots=True)
class Counted:
    """A text for none, for one, and for ``{n}``."""

    none: str
    one: str
    many: str

    def of(self, number: int) -> str:
        """Return the text for a number."""
        return {0: self.none, 1: self.one}.get(number, self.many).format(n=number)


@dataclass(frozen=True, slots=True)
class Phrases:
    """Every text of one language; what stands in braces is filled in."""

    # What comes next
    steps: Mapping[Action, str]
    templates: Mapping[str, str]
    next_step: str
    after_approval: str
    nothing: str
    # Why: the facts behind the filters
    level_sent: str
    level_sent_days: str
    notices_sent: Counted
    and_the_last: str
    the_last: str
    days_ago: Counted
    counted: Mapping[str, Counted]
    last_call: str
    contacts: Mapping[str, str]
    flags: Mapping[str, tuple[str, str]]  # yes, no
    custom_is: str
    custom_contains: str
    open: str
    # What would change it
    unless: Mapping[Action, str]
    arrives: str
    agreed_arrives: str
    date_agreed: str
    blocked: str
    not_earlier: str
    # Why not
    held: Mapping[Hold, tuple[str, str]]
    quiet: Mapping[Quiet, str]
    wants: str
    is_: str
    is_none: str
    is_another: str
    # Words
    and_: str
    or_: str
    yes_no: tuple[str, str]
    contains: str
