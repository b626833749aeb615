"""What is stored about a customer over time: the account and the circumstances of any coming day.

Blocks and disputes begin and end; the rest stays as it is until somebody changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from domain.dunning.facts import Account, Item
from domain.dunning.holds import Circumstances
from domain.dunning.ladder import Ladder


@dataclass(frozen=True, slots=True)
class Period:
    """Local days, the first and the last included; without a last one it has no end."""

    since: date
    until: date | None = None

    def covers(self, day: date) -> bool:
        """Tell whether the day is one of them."""
        return self.since <= day and (self.until is None or day <= self.until)


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything that decides what rules do with a customer, today and on the days to come.

    ``blocks`` are those of the customer (Mahnsperre, insolvency), ``item_blocks`` those of single
    items (disputes), by their place in ``account.items``. ``rejections`` are, by rule, the days
    before which it does not propose again. ``claims`` are the lanes taken of a day.
    """

    account: Account
    blocks: tuple[Period, ...] = ()
    item_blocks: Mapping[int, tuple[Period, ...]] = field(default_factory=dict)
    rejections: Mapping[int, date] = field(default_factory=dict)
    claims: Mapping[date, frozenset[str]] = field(default_factory=dict)
    notice_pending: bool = False
    has_email: bool = True

    def account_on(self, day: date) -> Account:
        """Return the account as it will be on a day if nothing is paid, posted or agreed."""
        if not self.item_blocks:
            return self.account
        items = tuple(
            replace(item, disputed=any(period.covers(day) for period in self.item_blocks[place]))
            if place in self.item_blocks
            else item
            for place, item in enumerate(self.account.items)
        )
        return replace(self.account, items=items)

    def circumstances_on(self, day: date, rule_id: int) -> Circumstances:
        """Return what may keep that rule away on a day."""
        return Circumstances(
            blocked=any(period.covers(day) for period in self.blocks),
            notice_pending=self.notice_pending,
            rejected_until=self.rejections.get(rule_id),
            agreed_dates=self.account.agreed_dates,
            has_email=self.has_email,
            lanes_taken=self.claims.get(day, frozenset()),
        )

    def settled(self, today: date) -> Dossier:
        """Return it without a ladder if nothing is overdue: the next case begins anew (X11)."""
        if any(i.open_amount > 0 and i.due_date and i.due_date < today for i in self.account.items):
            return self
        return replace(self, account=replace(self.account, ladder=Ladder()))


def pay(account: Account, amount: Decimal, currency: str) -> Account:
    """Return the account after a payment: it settles the oldest items of its currency first.

    What is disputed comes last: nobody pays that unasked. What is too much settles nothing.
    """
    paid = dict[int, Decimal]()
    for place, item in settling_order(account, currency):
        part = min(amount, item.open_amount)
        paid[place], amount = part, amount - part
    items = tuple(
        replace(item, open_amount=item.open_amount - paid[place]) if paid.get(place) else item
        for place, item in enumerate(account.items)
    )
    return replace(account, items=items)


def settling_order(account: Account, currency: str) -> list[tuple[int, Item]]:
    """Return the items that a payment settles one after the other, with their places."""
    owed = [
        (place, item)
        for place, item in enumerate(account.items)
        if item.currency == currency and item.open_amount > 0
    ]
    return sorted(owed, key=lambda one: (one[1].disputed, one[1].due_date or date.max, one[0]))
