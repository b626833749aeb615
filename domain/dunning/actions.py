"""The eight actions of a dunning rule (Aktionen, K1 to K8), and what each of them means.

What an action does to the world is not here: only which fields it takes, whom it may meet, and
what it changes of a customer's standing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What a rule does with each customer that it takes."""

    CALL_TASK = "call_task"
    LAWYER_TASK = "lawyer_task"
    EMAIL = "email"
    INSTALMENT_REMINDER = "instalment_reminder"
    MARK_PROBLEMATIC = "mark_problematic"
    HAND_TO_ACCOUNT_MANAGER = "hand_to_account_manager"
    LETTER = "letter"
    EMAIL_OR_LETTER = "email_or_letter"


class Need(StrEnum):
    """What must be so before an action may meet a customer at all, whatever its rule's filters."""

    OVERDUE = "overdue"  # something undisputed is overdue: nobody is dunned before the due date
    AGREED_DATE = "agreed_date"  # a promise or an instalment is agreed
    DEBT = "debt"  # something is open, due or not (X3)


TASK_FIELDS = ("title", "description")
MAIL_FIELDS = ("template",)
LETTER_FIELDS = ("template", "registered_mail")


@dataclass(frozen=True, slots=True)
class Traits:
    """What an action is.

    ``extras`` are the fields of a rule that belong to it (Zusaetzliche Informationen, K10).
    ``contacts``: the customer hears from us. ``sends``: by mail or letter, so that it waits for an
    approval where the rule says so (N1). ``raises_level``: it is a notice (Mahnung) and counts as
    one; a reminder of instalments is none. ``takes_day``: at most one of these per customer and
    local day, over all rules (X6).
    """

    german: str
    extras: tuple[str, ...] = ()
    need: Need = Need.OVERDUE
    contacts: bool = True
    sends: bool = False
    raises_level: bool = False
    takes_day: bool = False


TRAITS: Mapping[Action, Traits] = {
    Action.CALL_TASK: Traits("Zur Aufgabenliste Typ 'Telefonanruf' hinzufügen", TASK_FIELDS),
    Action.LAWYER_TASK: Traits(
        "Zur Aufgabenliste Typ 'Anwaltsübergabe' hinzufügen", TASK_FIELDS, takes_day=True
    ),
    Action.EMAIL: Traits(
        "E-Mail versenden", MAIL_FIELDS, sends=True, raises_level=True, takes_day=True
    ),
    Action.INSTALMENT_REMINDER: Traits(
        "Ratenzahler Erinnerung senden",
        LETTER_FIELDS,
        need=Need.AGREED_DATE,
        sends=True,
        takes_day=True,
    ),
    Action.MARK_PROBLEMATIC: Traits(
        "Kunden als problematisch markieren", need=Need.DEBT, contacts=False
    ),
    Action.HAND_TO_ACCOUNT_MANAGER: Traits(
        "An den Kundenbetreuer übergeben", need=Need.DEBT, contacts=False
    ),
    Action.LETTER: Traits(
        "Mahnbrief versenden", LETTER_FIELDS, sends=True, raises_level=True, takes_day=True
    ),
    Action.EMAIL_OR_LETTER: Traits(
        "E-Mail oder Mahnbrief versenden (falls keine E-Mail vorhanden)",
        LETTER_FIELDS,
        sends=True,
        raises_level=True,
        takes_day=True,
    ),
}

STEP_LANE = "step"


def lane(action: Action, rule_id: int) -> str:
    """Return what an action takes of a customer's day; the same lane is taken once a day.

    Notices, reminders of instalments and legal steps share one lane (X6); call tasks, marks and
    hand-overs to the account manager have one per rule (X15).
    """
    return STEP_LANE if TRAITS[action].takes_day else f"rule-{rule_id}"
