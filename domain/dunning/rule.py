"""A dunning rule (Workflow in Debitorcloud): when, what, for whom, and with whose approval (J1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from domain.dunning.actions import TRAITS, Action
from domain.dunning.filters import Filter
from domain.dunning.timetable import Interval, Timetable


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as somebody wrote it; ``domain.dunning.rule_file`` reads and checks it.

    ``start_date``, ``priority`` and ``template`` are None where the writer left them out: the
    start is then the next matching day (Intervalltag), the priority the last (Workflowprioritaet),
    the template that of the level. ``approval_required`` holds for what is sent to the customer
    (Freigabe, N1, N2); ``registered_mail`` for letters (Einschreiben, K9).
    """

    name: str
    interval: Interval
    weekday: str | None
    hour: int
    action: Action
    filters: tuple[Filter, ...]
    start_date: date | None = None
    priority: int | None = None
    template: str | None = None
    title: str = ""
    description: str = ""
    registered_mail: bool = False
    approval_required: bool = True

    @property
    def needs_approval(self) -> bool:
        """Whether a person has to approve what the rule proposes before it goes out."""
        return self.approval_required and TRAITS[self.action].sends

    def timetable(self, start: date) -> Timetable:
        """Return when the rule runs; ``start`` is its start date, given or chosen."""
        return Timetable(self.interval, self.weekday, self.hour, start)
