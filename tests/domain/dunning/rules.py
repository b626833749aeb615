"""Rules and accounts for the tests of dunning: the examples of the source document among them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from domain.dunning.facts import Account, Item
from domain.dunning.ladder import Ladder

TODAY = date(2026, 3, 3)


def condition(field: str, operator: str, value: Any) -> dict[str, Any]:
    """One filter as people write it."""
    return {"field": field, "operator": operator, "value": value}


NOT_PROBLEMATIC = condition("is_problematic", "=", value=False)

# The worked examples of Debitorcloud: reminder (O1), first notice (O2), call (O3).
O1: dict[str, Any] = {
    "name": "Zahlungserinnerung",
    "interval": "biweekly",
    "weekday": "tuesday",
    "hour": 16,
    "start_date": "2026-03-03",
    "action": "email_or_letter",
    "template": "payment_reminder",
    "filters": [
        NOT_PROBLEMATIC,
        condition("notices_count", "=", 0),
        condition("oldest_overdue_days", ">", 6),
    ],
}
O2: dict[str, Any] = {
    "name": "Erste Mahnung",
    "interval": "weekly",
    "weekday": "friday",
    "hour": 12,
    "action": "email_or_letter",
    "template": "first_notice",
    "approval_required": False,
    "filters": [
        NOT_PROBLEMATIC,
        condition("notices_count", "=", 1),
        condition("days_since_last_notice", ">=", 8),
    ],
}
O3: dict[str, Any] = {
    "name": "Telefonanruf",
    "interval": "biweekly",
    "weekday": "monday",
    "hour": 9,
    "start_date": "2026-03-02",
    "action": "call_task",
    "title": "Kunden anrufen",
    "filters": [
        NOT_PROBLEMATIC,
        condition("notices_count", "=", 2),
        condition("debt", ">=", 300),
        condition("debt", "<=", 4000),
        condition("days_since_last_notice", ">=", 14),
    ],
}


def owing(amount: str = "100.00", *, overdue_days: int = 10, **more: Any) -> Account:
    """An account with one open item that is so many days overdue."""
    due = TODAY.fromordinal(TODAY.toordinal() - overdue_days)
    return Account(items=(Item("EUR", Decimal(amount), due),), **more)


def dunned(notices: int, days_ago: int) -> Ladder:
    """A ladder after so many notices, the last one so many days ago."""
    on = TODAY.fromordinal(TODAY.toordinal() - days_ago)
    return Ladder(level=notices, notices=notices, last_notice_on=on)
