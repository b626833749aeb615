"""What the monkey will do, decided before it begins: the same seed gives the same acts."""

from __future__ import annotations

import random
from dataclasses import dataclass

PROCESSES = ("worker", "dispatcher", "api", "postgres", "temporal", "mailbox")
FAULTS = (
    "postgres:cut",
    "postgres:away",
    "postgres:stalled",
    "postgres:commit lost",
    "postgres:answer to commit lost",
    "temporal:cut",
    "temporal:away",
    "temporal:stalled",
    "mailbox:cut",
    "mailbox:away",
    "mailbox:stalled",
    "mailbox:slow",
    "mailbox:mail lost",
    "mailbox:answer to mail lost",
    "mailbox:says later",
    "mailbox:refuses",
    "mailbox:disk full",
)
FAILPOINTS = ("before_effect", "after_commit", "before_return")
MODES = ("exit", "raise", "duplicate")
ACTIVITIES = (
    "validate_customer",
    "create_invoice",
    "send_email",
    "reconcile_payment",
    "close_case",
    "select_customers",
    "hand_over",
    "answer_claim",
    "send_notice",
)


@dataclass(frozen=True)
class Act:
    """One act: its kind, at whom or what, for how long, and the pause after it (seconds).

    Kinds: ``kill`` (one or two processes), ``kill all``, ``stop`` (SIGSTOP), ``fault``, ``arm``.
    """

    kind: str
    targets: tuple[str, ...]
    seconds: float
    pause: float


def acts(seed: int, seconds: float) -> list[Act]:
    """Return acts whose pauses fill so many seconds; every process is killed early."""
    chance = random.Random(seed)  # noqa: S311 - it has to be repeatable
    kinds, weights = ["kill", "kill all", "stop", "fault", "arm"], [42, 3, 12, 38, 5]
    planned: list[Act] = []
    once = chance.sample(PROCESSES, len(PROCESSES))
    left = seconds
    while left > 0:
        pause = chance.uniform(0.5, 6.0)
        left -= pause
        kind = chance.choices(kinds, weights)[0]
        if kind == "kill" and once:
            targets: tuple[str, ...] = (once.pop(),)
        elif kind == "kill":
            targets = tuple(chance.sample(PROCESSES, chance.choice([1, 1, 1, 2])))
        elif kind == "stop":
            targets = (chance.choice(PROCESSES),)
        elif kind == "fault":
            targets = (chance.choice(FAULTS),)
        elif kind == "arm":
            point, mode = chance.choice(FAILPOINTS), chance.choice(MODES)
            nth = chance.randint(1, 3)
            targets = (f"{point}:{chance.choice(ACTIVITIES)}:{mode}:{nth}",)
        else:
            targets = ()
        planned.append(Act(kind, targets, chance.uniform(1.0, 6.0), pause))
    return planned
