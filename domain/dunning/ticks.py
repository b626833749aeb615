"""What a firing of a rule's Schedule means: its slot, a run that a person asked for, or nothing.

The Schedule fires on the local calendar; it knows no "every two weeks", and people can press
Trigger or backfill. Only here is decided what comes of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.dunning.timetable import Timetable

# What came later than this is missed, and a person decides whether to run the rule now (X19).
PATIENCE = timedelta(hours=24)
_CALENDAR_MINUTES = 15  # every offset of the world is a multiple of it


class Kind(StrEnum):
    """What a firing brings about."""

    SLOT = "slot"
    NOW = "now"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Tick:
    """What a firing brings about, and why. ``slot`` is the local time of one that is due."""

    kind: Kind
    why: str
    slot: datetime | None = None


def decide(
    table: Timetable,
    zone: ZoneInfo,
    *,
    scheduled: datetime | None,
    started: datetime,
    now: datetime,
    paused: bool,
) -> Tick:
    """Say what a firing means.

    ``scheduled`` is the time that the Schedule gives it: of the calendar, or to the second when a
    person pressed Trigger; None where no Schedule started it. ``started`` is when Temporal began
    it, ``now`` when a worker looks at it. A rule that is paused runs only by hand (X10).
    """
    if now - started > PATIENCE:
        return Tick(Kind.NOTHING, "no worker took it for more than 24 hours; this slot is missed")
    if scheduled is None or not _on_the_calendar(scheduled):
        return Tick(Kind.NOW, "an operator asked for it in Temporal")
    if paused:
        return Tick(Kind.NOTHING, "the rule is paused")
    slot = table.slot_at(scheduled, zone)
    if slot is None:
        return Tick(Kind.NOTHING, "the rule is not due then (another week, or before its start)")
    return Tick(Kind.SLOT, f"the rule is due at {slot:%Y-%m-%d %H:%M}", slot)


def _on_the_calendar(instant: datetime) -> bool:
    """Tell whether a calendar of whole hours can name that instant, in whatever time zone."""
    return (instant.second, instant.microsecond) == (0, 0) and not (
        instant.minute % _CALENDAR_MINUTES
    )
