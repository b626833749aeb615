"""The smallest payment that keeps a rule away from a customer, exact to the smallest coin."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from functools import partial
from itertools import accumulate

from domain.dunning.dossier import pay, settling_order
from domain.dunning.facts import Account
from domain.dunning.filters import Filter, Operator
from domain.money import minor_units

Takes = Callable[[Account], bool]


@dataclass(frozen=True, slots=True)
class Payment:
    """A sum of money that would have to arrive."""

    amount: Decimal
    currency: str


def least_payment(
    account: Account, filters: tuple[Filter, ...], takes: Takes, *, currency: str
) -> Payment | None:
    """Return the sum from which on every payment stops the rule; None if no payment does.

    ``account`` is that of the day of the run, ``takes`` says whether the rule takes it then, and
    ``currency`` is the company's: a payment in another one counts where none in it stops the rule.
    Some rules let go of a customer at one exact sum and take them again at a higher one
    (``debt != 300``); such a sum does not count.
    """
    currencies = {item.currency for item in account.items if item.open_amount > 0}
    may_return = any(
        one.operator is Operator.UNEQUAL and one.field in {"debt", "oldest_overdue_days"}
        for one in filters
    )
    search = _from_the_top if may_return else _halving
    for one in sorted(currencies, key=lambda code: (code != currency, code)):
        turns = _turns(account, filters, one, in_debt=one == currency)
        place = search(turns, partial(_still, account, takes, one))
        if place < len(turns):
            return Payment(turns[place], one)
    return None


def _still(account: Account, takes: Takes, currency: str, amount: Decimal) -> bool:
    return takes(pay(account, amount, currency))


def _halving(turns: list[Decimal], takes: Callable[[Decimal], bool]) -> int:
    """Find the first that stops the rule, where whatever is more stops it too.

    A payment only makes debt, days and counters smaller or ends them, so a filter that has let go
    does not hold again; some customers have a thousand open items.
    """
    return bisect_left(turns, 1, key=lambda amount: not takes(amount))


def _from_the_top(turns: list[Decimal], takes: Callable[[Decimal], bool]) -> int:
    """Find it where ``!=`` may hold again below its value: go down while the rule stays away."""
    place = len(turns)
    while place and not takes(turns[place - 1]):
        place -= 1
    return place


def _turns(
    account: Account, filters: tuple[Filter, ...], currency: str, *, in_debt: bool
) -> list[Decimal]:
    """Return, in order, every payment at which something that a rule looks at may change.

    These are the smallest payment at all, those that settle the items one after the other, and,
    where the currency is that of the debt, those that bring it to a bound or below it.
    Between two of them nothing changes.
    """
    coin = Decimal(1).scaleb(-minor_units(currency))
    owed = [item for _, item in settling_order(account, currency)]
    total = sum((item.open_amount for item in owed), Decimal(0))
    settled = dict[tuple[bool, date | None], Decimal]()
    for item, sum_ in zip(owed, accumulate(item.open_amount for item in owed), strict=True):
        # Of items due on the same day, only the last one changes anything.
        settled[item.disputed, item.due_date] = sum_
    found = {coin, *settled.values()}
    bounds = [Decimal(one.value) for one in filters if one.field == "debt"] if in_debt else []
    if in_debt and account.credit_limit is not None:
        bounds.append(account.credit_limit)
    for bound in bounds:
        found |= {total - bound, total - bound + coin}
    exact = {amount.quantize(coin, rounding=ROUND_CEILING) for amount in found if amount <= total}
    return sorted(amount for amount in exact if amount >= coin)
