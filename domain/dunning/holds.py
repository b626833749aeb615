"""Why a customer whom a rule's filters match is not taken now. The reference, as for the facts.

A hold protects people from what no filter can foresee: a block, a promise that is not over yet, a
notice that is under way already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from domain.dunning.actions import TRAITS, Action


class Hold(StrEnum):
    """Why not, as the report of a run says it. The first one that applies is told."""

    BLOCKED = "dunning is blocked for this customer"
    PENDING = "a notice to this customer is under way already"
    REJECTED = "a person rejected what this rule proposed, and the date set then is not over"
    PROMISED = "a payment date was agreed with this customer and is not over"
    NO_EMAIL = "this customer has no e-mail address"
    TAKEN = "this customer was taken today already"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What may keep a step away from a customer.

    ``rejected_until`` is the day before which this rule does not propose again (X13);
    ``agreed_dates`` are the open ones; ``lanes_taken`` what was taken of the customer's day (X6).
    """

    blocked: bool = False
    notice_pending: bool = False
    rejected_until: date | None = None
    agreed_dates: tuple[date, ...] = ()
    has_email: bool = True
    lanes_taken: frozenset[str] = frozenset()


def hold(action: Action, lane: str, found: Circumstances, today: date) -> Hold | None:
    """Return what holds the step back, None if nothing does.

    What concerns only ourselves (a mark, a word to the account manager) is held by nothing but its
    own day. A reminder of instalments is about the agreed date and not held by it.
    """
    traits = TRAITS[action]
    until, dates = found.rejected_until, found.agreed_dates
    reminds = action is Action.INSTALMENT_REMINDER
    reasons = (
        (Hold.BLOCKED, traits.contacts and found.blocked),
        (Hold.PENDING, traits.takes_day and found.notice_pending),
        (Hold.REJECTED, traits.sends and until is not None and until > today),
        # A date that was missed breaks the agreement: what was agreed for later holds no more.
        (Hold.PROMISED, traits.contacts and not reminds and bool(dates) and min(dates) >= today),
        (Hold.NO_EMAIL, action is Action.EMAIL and not found.has_email),
        (Hold.TAKEN, lane in found.lanes_taken),
    )
    return next((reason for reason, applies in reasons if applies), None)
