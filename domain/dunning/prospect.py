"""What can be said of a customer's coming days: the step that comes first, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum, auto

from domain.dunning.facts import Account, Facts
from domain.dunning.filters import Filter
from domain.dunning.holds import Hold
from domain.dunning.matching import Found
from domain.dunning.rule import Rule
from domain.dunning.timetable import Run, Timetable
from domain.dunning.unless import Payment


@dataclass(frozen=True, slots=True)
class RuleInForce:
    """An active rule: its id, what its version in force says, its start, its place in the order."""

    id: int
    rule: Rule
    start: date
    priority: int

    @property
    def timetable(self) -> Timetable:
        """When it runs."""
        return self.rule.timetable(self.start)


@dataclass(frozen=True, slots=True)
class Held:
    """What holds a step back that the filters would take, up to and including a day if known."""

    hold: Hold
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """The first run that will take the customer.

    ``account`` and ``facts`` are those of its day. ``level`` is the one that a notice will bring,
    None for what is no notice. ``unless`` is the least payment that stops it, None if none does.
    ``held`` is what lets earlier runs pass, and is over by then.
    """

    rule: RuleInForce
    run: Run
    account: Account
    facts: Facts
    level: int | None
    template: str | None
    unless: Payment | None
    held: Held | None = None

    @property
    def day(self) -> date:
        """The local day of the run."""
        return self.run.slot.date()

    @property
    def values(self) -> dict[str, Found]:
        """What the filters will compare, by field."""
        return {one.field: self.facts.value(one.field) for one in self.rule.rule.filters}


class Quiet(Enum):
    """Why no rule will take a customer."""

    NO_RULES = auto()
    NOTHING_OPEN = auto()
    NO_RUN = auto()
    NOT_CONCERNED = auto()
    HELD = auto()
    REJECTED = auto()


@dataclass(frozen=True, slots=True)
class Silence:
    """No rule takes the customer within so many days, and why.

    ``rule`` is the one that came nearest: ``held`` says what holds it back, or ``failed`` which
    filter does not hold and ``found`` what it found.
    """

    reason: Quiet
    days: int
    rule: str = ""
    held: Held | None = None
    failed: Filter | None = None
    found: Found = None
