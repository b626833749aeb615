"""What the rules will do next with a customer, when, and what would change it. Pure.

It walks the coming runs of all active rules in the order in which they will come and asks of each
what the run itself will ask: do the filters match the facts of that day, and does anything hold
the step back? So it says what will happen if nothing is paid, posted or agreed until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.dunning.actions import TRAITS, Action, lane
from domain.dunning.dossier import Dossier
from domain.dunning.facts import Account, Facts, derive
from domain.dunning.filters import Filter
from domain.dunning.holds import Hold, hold
from domain.dunning.ladder import template_of
from domain.dunning.matching import Found, holds, matches
from domain.dunning.prospect import Forecast, Held, Quiet, RuleInForce, Silence
from domain.dunning.unless import least_payment

HORIZON = timedelta(days=60)
_DAY = timedelta(days=1)

# What becomes another value just because days pass; the rest needs somebody to do something.
_GROWING = frozenset(
    {
        "days_since_last_notice",
        "oldest_overdue_days",
        "promise_overdue_days",
        "days_since_successful_call",
    }
)


def forecast(
    dossier: Dossier,
    rules: Sequence[RuleInForce],
    *,
    zone: ZoneInfo,
    now: datetime,
    currency: str,
    horizon: timedelta = HORIZON,
) -> Forecast | Silence:
    """Say which rule takes the customer first after now, or why none does within the horizon.

    ``rules`` are the active ones; ``zone`` and ``currency`` are the company's. A mark on whom it
    is on already is no step.
    """
    return _Outlook(dossier, rules, zone, now, currency, horizon).first()


class _Outlook:
    """One customer's coming days. Facts are drawn once a day, and only where a rule runs."""

    def __init__(
        self,
        dossier: Dossier,
        rules: Sequence[RuleInForce],
        zone: ZoneInfo,
        now: datetime,
        currency: str,
        horizon: timedelta,
    ) -> None:
        self._zone, self._now, self._currency = zone, now, currency
        self._today = now.astimezone(zone).date()
        self._last = self._today + horizon
        self._dossier = dossier.settled(self._today)
        self._rules = sorted(rules, key=lambda one: (one.rule.hour, one.priority, one.id))
        self._facts = dict[date, Facts]()
        self._growing = dict[int, list[Filter]]()

    def first(self) -> Forecast | Silence:
        """Walk the runs up to the first that takes the customer."""
        held: tuple[str, Held] | None = None
        for day, one in self._runs():
            if not self._matches(one, day):
                continue
            found = self._hold(one, day)
            if found is None:
                return self._forecast(one, day, held[1] if held else None)
            if held is None and found.hold is not Hold.TAKEN:
                held = one.rule.name, found
        return self._silence(held)

    def _runs(self) -> Iterator[tuple[date, RuleInForce]]:
        """Return the coming runs, in order, of all rules that could match on some day."""
        open_ones = [(one, one.timetable) for one in self._rules if self._may_match(one)]
        self._growing = {
            one.id: [c for c in one.rule.filters if c.field in _GROWING] for one, _ in open_ones
        }
        # A missing hour may move a slot of yesterday to after midnight.
        day = self._today - _DAY
        while open_ones and day <= self._last:
            for one, table in open_ones:
                if table.runs_on(day) and (
                    day > self._today or table.run(day, self._zone).at > self._now
                ):
                    yield day, one
            day += _DAY

    def _may_match(self, one: RuleInForce) -> bool:
        """Look once at what no passing day changes."""
        if self._is_idle(one):
            return False
        facts = self._facts_on(self._today)
        return all(
            holds(condition, facts.value(condition.field))
            for condition in one.rule.filters
            if condition.field not in _GROWING
        )

    def _is_idle(self, one: RuleInForce) -> bool:
        return one.rule.action is Action.MARK_PROBLEMATIC and self._dossier.account.problematic

    def _matches(self, one: RuleInForce, day: date) -> bool:
        """Tell what ``matches`` tells, by what may have changed since ``_may_match``."""
        facts = self._facts_on(day)
        for condition in self._growing[one.id]:
            if not holds(condition, facts.value(condition.field)):
                return False
        return facts.meets(TRAITS[one.rule.action].need)

    def _facts_on(self, day: date) -> Facts:
        found = self._facts.get(day)
        if found is None:
            account = self._dossier.account_on(day)
            found = self._facts[day] = derive(account, today=day, currency=self._currency)
        return found

    def _hold(self, one: RuleInForce, day: date) -> Held | None:
        circumstances = self._dossier.circumstances_on(day, one.id)
        found = hold(one.rule.action, lane(one.rule.action, one.id), circumstances, day)
        if found is None:
            return None
        until = None
        if found is Hold.BLOCKED:
            ends = [period.until for period in self._dossier.blocks if period.covers(day)]
            until = None if None in ends else max(end for end in ends if end)
        elif found is Hold.PROMISED:
            until = min(circumstances.agreed_dates)
        elif found is Hold.REJECTED and circumstances.rejected_until:
            until = circumstances.rejected_until - _DAY
        return Held(found, until)

    def _forecast(self, one: RuleInForce, day: date, held: Held | None) -> Forecast:
        account, rule = self._dossier.account_on(day), one.rule

        def takes(paid: Account) -> bool:
            return matches(rule, derive(paid, today=day, currency=self._currency)).matched

        raises = TRAITS[rule.action].raises_level
        level = account.ladder.level + 1 if raises else None
        return Forecast(
            rule=one,
            run=one.timetable.run(day, self._zone),
            account=account,
            facts=self._facts_on(day),
            level=level,
            template=rule.template or (template_of(level) if level else None),
            unless=least_payment(account, rule.filters, takes, currency=self._currency),
            held=held if held and held.until and held.until < day else None,
        )

    def _silence(self, held: tuple[str, Held] | None) -> Silence:
        days = (self._last - self._today).days
        if held:
            return Silence(Quiet.HELD, days, held[0], held=held[1])
        if not self._rules:
            return Silence(Quiet.NO_RULES, days)
        if not self._facts_on(self._today).has_debt:
            return Silence(Quiet.NOTHING_OPEN, days)
        runs = [(one, self._last_run(one)) for one in self._rules if not self._is_idle(one)]
        if runs and not any(day for _, day in runs):
            return Silence(Quiet.NO_RUN, days)
        misses = [miss for one, day in runs if day and (miss := self._miss(one, day))]
        if not misses:
            return Silence(Quiet.NOT_CONCERNED, days)
        _, rule, failed, found = min(misses, key=lambda miss: miss[0])
        return Silence(Quiet.REJECTED, days, rule, failed=failed, found=found)

    def _last_run(self, one: RuleInForce) -> date | None:
        """Return the day of the last run within the horizon; days have grown most by then."""
        table, day = one.timetable, self._last
        while day >= self._today:
            if table.runs_on(day) and table.run(day, self._zone).at > self._now:
                return day
            day -= _DAY
        return None

    def _miss(
        self, one: RuleInForce, day: date
    ) -> tuple[tuple[float, ...], str, Filter, Found] | None:
        """Return by how much a rule misses the customer, and the filter; what lasts comes first."""
        verdict = matches(one.rule, self._facts_on(day))
        if not verdict.met or not verdict.failed:
            return None
        failed = min(verdict.failed, key=lambda condition: condition.field in _GROWING)
        found = verdict.values[failed.field]
        rank = (len(verdict.failed), _distance(failed, found), -one.priority, -one.id)
        return rank, one.rule.name, failed, found


def _distance(failed: Filter, found: Found) -> float:
    """Return how far a number is from the one that a filter wants; what is no number is far."""
    numbers = not isinstance(failed.value, bool | str) and not isinstance(found, bool | str)
    if not numbers or found is None:
        return float("inf")
    return abs(float(found) - float(failed.value))
