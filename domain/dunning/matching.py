"""Whether a rule's filters take a customer, with the values that made it so, or why not."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domain.dunning.actions import TRAITS
from domain.dunning.facts import Facts
from domain.dunning.filters import Filter, Operator, Value
from domain.dunning.rule import Rule

Found = Value | Decimal | None  # what a filter compares; None: there is none

_COMPARE: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.EQUAL: operator.eq,
    Operator.UNEQUAL: operator.ne,
    Operator.LESS: operator.lt,
    Operator.MORE: operator.gt,
    Operator.AT_MOST: operator.le,
    Operator.AT_LEAST: operator.ge,
    Operator.CONTAINS: operator.contains,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of comparing: every value that was looked at, and what did not hold."""

    values: Mapping[str, Found]
    failed: tuple[Filter, ...]
    met: bool = True

    @property
    def matched(self) -> bool:
        """Whether the rule takes the customer."""
        return self.met and not self.failed

    @property
    def why_not(self) -> str:
        """Say in one clause why the rule does not take the customer; empty if it does."""
        if not self.met:
            return "nothing is open or overdue that the action could be about"
        return "; ".join(
            f"{one}, but {one.field} is {_said(self.values[one.field])}" for one in self.failed
        )


def matches(rule: Rule, facts: Facts) -> Verdict:
    """Hold a rule against the facts of a customer on a day; all filters must hold (J13)."""
    values = {one.field: facts.value(one.field) for one in rule.filters}
    failed = tuple(one for one in rule.filters if not holds(one, values[one.field]))
    return Verdict(values, failed, facts.meets(TRAITS[rule.action].need))


def holds(condition: Filter, found: Found) -> bool:
    """Compare one value; one that does not exist satisfies nothing, ``!=`` and ``<`` included.

    Sums are compared as exact decimals: 300.50 is at least 300, and 4000.01 is more than 4000.
    Texts are compared as written, capitals and all.
    """
    return found is not None and _COMPARE[condition.operator](found, condition.value)


def _said(value: Found) -> str:
    if value is None:
        return "not there"
    return str(value).lower() if isinstance(value, bool) else str(value)
