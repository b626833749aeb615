"""What a rule can know about a customer on a day: the raw account, and the facts drawn from it.

This is the reference. The database computes the same in one statement
(``models/store/dunning/facts.py``); a property test holds both against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from domain.dunning.actions import Need
from domain.dunning.filters import CUSTOM_FIELDS, Value
from domain.dunning.ladder import Ladder


@dataclass(frozen=True, slots=True)
class Item:
    """An open item (offener Posten); a disputed one is owed, but nobody is dunned for it (R3)."""

    currency: str
    open_amount: Decimal
    due_date: date | None
    disputed: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that is stored about a customer and concerns dunning.

    ``ladder`` is that of the dunning case that has not ended.
    ``agreed_dates`` are the payment dates that were agreed and are still open (promises and
    instalments, X4).
    """

    items: tuple[Item, ...] = ()
    problematic: bool = False
    preferred_contact: str = ""
    credit_limit: Decimal | None = None
    custom_fields: tuple[str, ...] = ("",) * CUSTOM_FIELDS
    ladder: Ladder = field(default_factory=Ladder)
    open_call_tasks: int = 0
    agreed_dates: tuple[date, ...] = ()
    last_successful_call_on: date | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The 18 fields that filters compare; None where a value does not exist (X5).

    ``debt`` is the exact sum of all open items in the company's currency, due or not (X3, X16).
    ``oldest_overdue_days`` counts calendar days from the due date as stored, not moved by weekends
    (X12). Days count from local date to local date.
    """

    is_problematic: bool
    notices_count: int
    calls_count: int
    debt: Decimal
    days_since_last_notice: int | None
    oldest_overdue_days: int | None
    preferred_contact: str
    credit_limit_exceeded: bool
    open_call_tasks: int
    promise_overdue_days: int | None
    days_since_successful_call: int | None
    custom_fields: tuple[str | None, ...]
    has_debt: bool
    has_agreed_date: bool

    def value(self, name: str) -> Value | Decimal | None:
        """Return the value of a filter's field."""
        if name.startswith("custom_field_"):
            return self.custom_fields[int(name.removeprefix("custom_field_")) - 1]
        found: Value | Decimal | None = getattr(self, name)
        return found

    def meets(self, need: Need) -> bool:
        """Tell whether an action with this need may meet the customer at all."""
        if need is Need.OVERDUE:
            return self.oldest_overdue_days is not None
        if need is Need.AGREED_DATE:
            return self.has_debt and self.has_agreed_date
        return self.has_debt


def derive(account: Account, *, today: date, currency: str) -> Facts:
    """Draw the facts of a local day from an account; ``currency`` is the company's."""
    owed = [item for item in account.items if item.open_amount > 0]
    debt = sum((i.open_amount for i in owed if i.currency == currency), Decimal(0))
    overdue = [i.due_date for i in owed if i.due_date and i.due_date < today and not i.disputed]
    # A case ends when nothing is overdue any more, also where nobody has noted that yet (X11); what
    # is disputed is overdue all the same.
    late = any(i.due_date < today for i in owed if i.due_date)
    ladder = account.ladder if late else Ladder()
    broken = [day for day in account.agreed_dates if day < today]
    limit = account.credit_limit
    return Facts(
        is_problematic=account.problematic,
        notices_count=ladder.notices,
        calls_count=ladder.calls,
        debt=debt,
        days_since_last_notice=_days(ladder.last_notice_on, today),
        oldest_overdue_days=_days(min(overdue, default=None), today),
        preferred_contact=account.preferred_contact or "any",
        credit_limit_exceeded=limit is not None and debt > limit,
        open_call_tasks=account.open_call_tasks,
        promise_overdue_days=_days(min(broken, default=None), today),
        days_since_successful_call=_days(account.last_successful_call_on, today),
        custom_fields=tuple(text or None for text in account.custom_fields),
        has_debt=bool(owed),
        has_agreed_date=bool(account.agreed_dates),
    )


def _days(since: date | None, today: date) -> int | None:
    return None if since is None else (today - since).days
