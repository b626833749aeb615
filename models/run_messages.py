"""What the workflows of rule runs tell their activities, and what they are told: ids and counts."""

from __future__ import annotations

from datetime import datetime

from domain.dunning.actions import Action
from domain.dunning.ticks import Kind
from models.messages import Message, RunStart


class TickRequest(Message):
    """Activity input: a rule's Schedule fired; ``scheduled`` is the time that it gives."""

    rule_id: int
    scheduled: datetime | None
    started: datetime
    at: datetime


class TickPlan(Message):
    """What comes of a firing; ``slot`` (local) where the rule is due. ``rule`` is its name."""

    kind: Kind
    why: str
    rule: str = ""
    slot: datetime | None = None


class DueRule(Message):
    """A rule that is due in a slot; ``name`` is for people."""

    rule_id: int
    name: str


class DueRules(Message):
    """The active rules that are due in a slot, in their order."""

    rules: tuple[DueRule, ...]


class SelectRequest(Message):
    """Activity input: select the customers of a run, once per ``key`` (the workflow's id)."""

    key: str
    start: RunStart
    at: datetime


class Selected(Message):
    """A run as the database has it; ``after`` is the last claim that was handed over."""

    run_id: int
    rule: str
    action: Action
    matched: int
    taken: int
    handed_over: int = 0
    after: int = 0
    finished: bool = False


class PageRequest(Message):
    """Activity input: hand over the next customers of a run, those after the claim ``after``."""

    run_id: int
    after: int
    at: datetime


class Page(Message):
    """What was handed over so far; ``after`` is the last claim, ``last`` if there are no more."""

    after: int
    handed_over: int
    last: bool


class RunRequest(Message):
    """Activity input: something about a whole run, at the workflow's time."""

    run_id: int
    key: str
    at: datetime
    cancelled: bool = False


class Groups(Message):
    """How many account managers get a mail about a run."""

    mails: int


class ManagerMailRequest(Message):
    """Activity input: the mail of a run (``key``) to the account manager of that number."""

    key: str
    run_id: int
    number: int
    at: datetime

    @property
    def mail_key(self) -> str:
        """The business key of the mail: one per account manager and run (X15)."""
        return f"{self.key}:tell_manager:run-{self.run_id}-manager-{self.number}"


class RunFailure(Message):
    """Activity input: a run did not succeed, or (``mail``) one of its mails. ``name`` is its key.

    ``reason`` is in words.
    """

    rule_id: int
    name: str
    reason: str
    at: datetime
    mail: bool = False
