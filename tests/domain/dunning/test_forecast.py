"""What the rules will do next agrees with what they then do, and with what a payment changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.dunning.actions import Action, lane
from domain.dunning.dossier import Dossier, Period, pay
from domain.dunning.facts import Account, Item, derive
from domain.dunning.filters import FIELDS, Filter, Kind
from domain.dunning.forecast import HORIZON, forecast
from domain.dunning.holds import Hold, hold
from domain.dunning.ladder import Ladder, call_made, notice_sent
from domain.dunning.matching import matches
from domain.dunning.prospect import Forecast, Held, Quiet, RuleInForce, Silence
from domain.dunning.rule_file import read_rule
from domain.dunning.timetable import Interval, Run, runs_after
from domain.dunning.unless import Payment

from .rules import O1, O2, O3, condition

BERLIN = ZoneInfo("Europe/Berlin")
D0 = date(2026, 3, 3)  # a Tuesday
CENT = Decimal("0.01")


def at(day: date, hour: int = 0) -> datetime:
    """An instant by Berlin's clocks."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=BERLIN)


def in_force(*documents: dict[str, Any], start: date = D0) -> list[RuleInForce]:
    """Rules in the order in which they are given."""
    found = [read_rule(document) for document in documents]
    return [RuleInForce(n, rule, rule.start_date or start, n) for n, rule in enumerate(found, 1)]


def look(dossier: Dossier | Account, rules: list[RuleInForce], now: datetime) -> Forecast | Silence:
    """The forecast of a company in Berlin."""
    if isinstance(dossier, Account):
        dossier = Dossier(dossier)
    return forecast(dossier, rules, zone=BERLIN, now=now, currency="EUR")


def step(dossier: Dossier | Account, rules: list[RuleInForce], now: datetime) -> Forecast:
    """A forecast that has to be a step."""
    found = look(dossier, rules, now)
    assert isinstance(found, Forecast), found
    return found


def silence(dossier: Dossier | Account, rules: list[RuleInForce], now: datetime) -> Silence:
    """A forecast that has to be none."""
    found = look(dossier, rules, now)
    assert isinstance(found, Silence), found
    return found


def owing(amount: str, due: date, **more: Any) -> Account:
    """One open item."""
    return Account(items=(Item("EUR", Decimal(amount), due),), **more)


@pytest.mark.parametrize(
    ("start", "days"), [("2026-03-02", 27), ("2026-03-09", 34)], ids=["on week", "off week"]
)
def test_the_chain_of_the_calendar(start: str, days: int) -> None:
    """O4: D0, D+10, then D+27 the day after the clocks change, or D+34, Easter Monday."""
    rules = in_force(O1, O2, {**O3, "start_date": start})
    account = owing("1190.00", D0 - timedelta(7))
    first = step(account, rules, at(D0 - timedelta(5)))
    assert (first.rule.rule.name, first.day, first.level) == ("Zahlungserinnerung", D0, 1)
    assert first.run.at == at(D0, 16)
    assert first.values["oldest_overdue_days"] == 7
    assert first.unless == Payment(Decimal("1190.00"), "EUR")
    account = replace(account, ladder=notice_sent(account.ladder, D0))
    second = step(account, rules, at(D0, 17))
    assert (second.rule.rule.name, second.run.slot) == ("Erste Mahnung", datetime(2026, 3, 13, 12))  # noqa: DTZ001 - slots are local
    assert (second.level, second.template) == (2, "first_notice")
    assert second.values["days_since_last_notice"] == 10
    account = replace(account, ladder=notice_sent(account.ladder, second.day))
    third = step(account, rules, second.run.at)
    assert (third.rule.rule.action, third.day) == (Action.CALL_TASK, D0 + timedelta(days))
    assert third.run.at == datetime(2026, 3, 3, 7, tzinfo=UTC) + timedelta(days)  # summer time
    assert (third.level, third.template) == (None, None)
    assert third.values["days_since_last_notice"] == days - 10
    assert third.unless == Payment(Decimal("890.01"), "EUR")  # 299.99 stay: below 300
    account = replace(account, ladder=call_made(account.ladder))
    assert step(account, rules, third.run.at).day == third.day + timedelta(14)
    paid = pay(account, Decimal("890.01"), "EUR")
    assert silence(paid, rules, third.run.at).failed == Filter("debt", *_least(300))


def _least(value: int) -> tuple[Any, Any]:
    one = read_rule(O3).filters[2]
    assert one.value == value
    return one.operator, value


def test_what_is_not_due_yet_is_foreseen() -> None:
    """The old ladder has ended by then: the reminder brings level 1 again (X11)."""
    account = owing("5.00", D0, ladder=Ladder(2, 2, 1, D0 - timedelta(50)))
    rules = in_force(O1, O2)
    found = step(account, rules, at(D0))
    assert (found.day, found.level) == (D0 + timedelta(14), 1)
    assert found.values["oldest_overdue_days"] == 14
    going_on = silence(account, rules, at(D0 + timedelta(1)))  # overdue: the ladder goes on
    assert (going_on.rule, going_on.found) == ("Erste Mahnung", 2)


def test_a_run_at_this_very_instant_is_over() -> None:
    """Runs after now, as the timetable has them."""
    account = owing("5.00", D0 - timedelta(7))
    assert step(account, in_force(O1), at(D0, 16) - timedelta(seconds=1)).day == D0
    assert step(account, in_force(O1), at(D0, 16)).day == D0 + timedelta(14)


def test_the_same_slot_goes_by_priority_and_an_earlier_hour_first() -> None:
    """X7."""
    daily = {**O1, "interval": "daily", "weekday": None, "filters": [condition("debt", ">", 0)]}
    rules = in_force(
        {**daily, "name": "late", "hour": 17},
        {**daily, "name": "second"},
        {**daily, "name": "first"},
    )
    rules[1], rules[2] = replace(rules[1], priority=3), replace(rules[2], priority=2)
    account = owing("5.00", D0 - timedelta(7))
    assert step(account, rules, at(D0)).rule.rule.name == "first"
    assert step(account, rules, at(D0, 16)).rule.rule.name == "late"


def test_holds_pass_and_are_named() -> None:
    """A block until a day, a promise, a rejection: the first run after it."""
    account, rules = owing("5.00", D0 - timedelta(30)), in_force(O1)
    later = D0 + timedelta(14)
    for dossier, held in (
        (Dossier(account, blocks=(Period(D0, D0),)), Held(Hold.BLOCKED, D0)),
        (Dossier(account, rejections={1: later}), Held(Hold.REJECTED, later - timedelta(1))),
        (
            Dossier(replace(account, agreed_dates=(D0, D0 + timedelta(9)))),
            Held(Hold.PROMISED, D0),
        ),
    ):
        found = step(dossier, rules, at(D0))
        assert (found.day, found.held) == (later, held)
    assert step(Dossier(account, rejections={1: D0, 2: later}), rules, at(D0)).day == D0
    missed = Dossier(replace(account, agreed_dates=(D0 + timedelta(9), D0 - timedelta(1))))
    assert step(missed, rules, at(D0)).day == D0
    taken = Dossier(account, claims={D0: frozenset({"step"})})
    assert (step(taken, rules, at(D0)).day, step(taken, rules, at(D0)).held) == (later, None)
    both = [*rules, *in_force({**O2, "filters": [condition("debt", ">", 0)]})]
    both[1] = replace(both[1], id=2)
    found = step(Dossier(account, rejections={1: later}), both, at(D0))
    assert (found.rule.id, found.held) == (2, None)  # what is put off is the other rule's
    coming = Dossier(account, blocks=(Period(D0 + timedelta(1), later),))
    assert step(coming, rules, at(D0)).day == D0
    assert step(coming, rules, at(D0, 16)).day == later + timedelta(14)


def test_a_dispute_that_ends() -> None:
    """What is disputed until a day is dunned from then on; it was overdue all the time."""
    account = owing("5.00", D0 - timedelta(30))
    dossier = Dossier(account, item_blocks={0: (Period(D0, D0 + timedelta(13)),)})
    assert step(dossier, in_force(O1), at(D0)).day == D0 + timedelta(14)
    endless = Dossier(account, item_blocks={0: (Period(D0),)})
    assert silence(endless, in_force(O1), at(D0)).reason is Quiet.NOT_CONCERNED


def test_a_mark_that_is_on_is_no_step() -> None:
    """J8 marks who owes more than 3,000 every day: once, as far as people are concerned."""
    mark = {
        "name": "mark",
        "interval": "daily",
        "hour": 6,
        "action": "mark_problematic",
        "filters": [condition("debt", ">", 3000)],
    }
    account = owing("3000.01", D0 + timedelta(9))
    found = step(account, in_force(mark), at(D0))
    assert (found.day, found.unless) == (D0, Payment(CENT, "EUR"))
    marked = replace(account, problematic=True)
    assert silence(marked, in_force(mark), at(D0)).reason is Quiet.NOT_CONCERNED


def test_why_nothing_comes() -> None:
    """The reasons, and the rule that came nearest with its first filter that does not hold."""
    late = owing("1190.00", D0 - timedelta(30), ladder=Ladder(3, 3, 0, D0 - timedelta(2)))
    last = {**O2, "name": "Letzte", "filters": [condition("notices_count", "=", 2)]}
    assert silence(late, [], at(D0)).reason is Quiet.NO_RULES
    assert silence(Account(), in_force(O1), at(D0)).reason is Quiet.NOTHING_OPEN
    found = silence(late, in_force(O1, O2, last), at(D0))
    assert (found.rule, str(found.failed), found.found) == ("Letzte", "notices_count = 2", 3)
    far = in_force({**O1, "start_date": "2027-01-05"})
    assert silence(late, far, at(D0)).reason is Quiet.NO_RUN
    blocked = Dossier(late, blocks=(Period(D0), Period(D0, D0)))
    held = silence(blocked, in_force({**last, "filters": [condition("debt", ">", 0)]}), at(D0))
    assert (held.reason, held.rule, held.held) == (Quiet.HELD, "Letzte", Held(Hold.BLOCKED))
    chain = silence(owing("1", D0 + timedelta(70)), in_force(O1, O2), at(D0))
    assert chain.reason is Quiet.NOT_CONCERNED


@pytest.mark.parametrize(
    ("filters", "unless"),
    [
        ([condition("debt", ">=", 300)], "890.01"),
        ([condition("debt", ">", 300)], "890.00"),
        ([condition("debt", "=", 1190)], "0.01"),
        ([condition("debt", "!=", 300)], "1100.00"),  # 890.00 sharp would do, but not 890.01
        ([condition("debt", "<=", 4000)], "1100.00"),
        ([condition("oldest_overdue_days", ">", 6)], "1000.00"),
        ([condition("oldest_overdue_days", ">=", 6)], "1100.00"),
        ([condition("oldest_overdue_days", "=", 30)], "1000.00"),
        ([condition("oldest_overdue_days", ">", 6), condition("debt", ">", 1000)], "190.00"),
        ([condition("credit_limit_exceeded", "=", value=True)], "689.50"),
        ([condition("notices_count", "=", 0)], "1100.00"),
    ],
)
def test_the_least_payment(filters: list[dict[str, Any]], unless: str) -> None:
    """Exact to the cent; the oldest item first: 1,000.00 of 30 days, 100.00 of 6, 90.00 to come."""
    items = tuple(
        Item("EUR", Decimal(amount), D0 - timedelta(days))
        for amount, days in (("100.00", 6), ("1000.00", 30), ("90.00", -5))
    )
    account = Account(items=items, credit_limit=Decimal("500.50"))
    found = step(account, in_force({**O1, "filters": filters}), at(D0))
    assert (found.day, found.unless) == (D0, Payment(Decimal(unless), "EUR"))


def test_what_is_disputed_is_paid_last() -> None:
    """Nobody pays unasked what they dispute, however old it is; a dispute that is over counts."""
    old = Item("EUR", Decimal(50), D0 - timedelta(60))
    account = Account(items=(old, Item("EUR", Decimal(7), D0 - timedelta(9))))
    rules = in_force({**O1, "filters": [condition("debt", ">", 0)]})
    disputed = Dossier(account, item_blocks={0: (Period(D0),)})
    assert step(disputed, rules, at(D0)).unless == Payment(Decimal(7), "EUR")
    over = Dossier(account, item_blocks={0: (Period(D0 - timedelta(9), D0 - timedelta(1)),)})
    assert step(over, rules, at(D0)).unless == Payment(Decimal(57), "EUR")


def test_payments_in_other_currencies() -> None:
    """Where only francs are overdue, francs stop it; where both are, neither does alone."""
    rules = in_force({**O1, "filters": [condition("oldest_overdue_days", ">", 6)]})
    francs = Item("CHF", Decimal(7), D0 - timedelta(9))
    account = Account(items=(francs, Item("EUR", Decimal(5), D0 + timedelta(9))))
    assert step(account, rules, at(D0)).unless == Payment(Decimal(7), "CHF")
    both = Account(items=(francs, Item("EUR", Decimal(5), D0 - timedelta(9))))
    assert step(both, rules, at(D0)).unless is None


# Random customers and rules: few values, so that bounds are met often.
NOW = at(D0, 12)
DAYS = st.integers(-25, 20).map(lambda n: D0 + timedelta(n))
PERIODS = st.lists(
    st.tuples(DAYS, st.one_of(st.none(), st.integers(0, 20))).map(
        lambda p: Period(p[0], None if p[1] is None else p[0] + timedelta(p[1]))
    ),
    max_size=2,
).map(tuple)
ITEMS = st.builds(
    Item,
    st.sampled_from(["EUR", "EUR", "EUR", "CHF"]),
    st.sampled_from([Decimal(t) for t in ("0.01", "0.02", "0.99", "1.00", "1.01")]),
    st.one_of(DAYS, st.none()),
)
LADDERS = st.builds(
    lambda n, calls, day: Ladder(n, n, calls, day if n else None),
    st.integers(0, 2),
    st.integers(0, 1),
    st.integers(0, 20).map(lambda n: D0 - timedelta(n)),
)
ACCOUNTS = st.builds(
    Account,
    items=st.lists(ITEMS, min_size=1, max_size=4).map(tuple),
    problematic=st.booleans(),
    credit_limit=st.one_of(st.none(), st.sampled_from([Decimal(1), Decimal("2.01")])),
    ladder=LADDERS,
    open_call_tasks=st.integers(0, 1),
    agreed_dates=st.one_of(st.just(()), st.lists(DAYS, max_size=2).map(tuple)),
    last_successful_call_on=st.one_of(
        st.none(), st.integers(0, 20).map(lambda n: D0 - timedelta(n))
    ),
)
DOSSIERS = st.builds(
    Dossier,
    ACCOUNTS,
    blocks=st.one_of(st.just(()), PERIODS),
    item_blocks=st.dictionaries(st.integers(0, 1), PERIODS, max_size=1),
    rejections=st.dictionaries(st.integers(1, 2), DAYS, max_size=1),
    claims=st.sampled_from([{}, {D0: frozenset({"step"})}, {D0: frozenset({"rule-1"})}]),
    notice_pending=st.sampled_from([False, False, False, True]),
    has_email=st.booleans(),
)
VALUES = {
    Kind.YES_NO: st.booleans(),
    Kind.WHOLE: st.integers(0, 8),
    Kind.CONTACT: st.just("any"),
    Kind.TEXT: st.just("A"),
}
FILTERS = (
    st.sampled_from([field for field in FIELDS if not field.startswith("custom")])
    .map(lambda field: (field, FIELDS[field]))
    .flatmap(
        lambda pair: st.builds(
            Filter, st.just(pair[0]), st.sampled_from(pair[1].operators), VALUES[pair[1].kind]
        )
    )
)


def _rule(
    number: int, interval: Interval, hour: int, action: Action, filters: list[Filter], start: date
) -> RuleInForce:
    weekday = None if interval is Interval.DAILY else "friday"
    rule = replace(
        read_rule(O1),
        interval=interval,
        weekday=weekday,
        hour=hour,
        action=action,
        filters=tuple(filters),
    )
    return RuleInForce(number, rule, start, priority=5 - number)


RULES = st.lists(
    st.tuples(
        st.sampled_from(Interval),
        st.sampled_from([2, 9, 12, 13]),
        st.sampled_from(Action),
        st.lists(FILTERS, min_size=1, max_size=2),
        DAYS,
    ),
    min_size=1,
    max_size=3,
).map(lambda many: [_rule(number, *one) for number, one in enumerate(many, 1)])


def all_runs(rules: list[RuleInForce]) -> Iterator[tuple[Run, RuleInForce]]:
    """Every run of every rule within the horizon, in the order in which they come."""
    last, found = D0 + HORIZON, list[tuple[Run, RuleInForce]]()
    for one in rules:
        for run in runs_after(one.timetable, BERLIN, NOW):
            if run.slot.date() > last:
                break
            found.append((run, one))
    yield from sorted(found, key=lambda pair: (pair[0].slot, pair[1].priority, pair[1].id))


def takes(dossier: Dossier, one: RuleInForce, day: date) -> bool:
    """What the run itself will say."""
    if one.rule.action is Action.MARK_PROBLEMATIC and dossier.account.problematic:
        return False
    facts = derive(dossier.account_on(day), today=day, currency="EUR")
    found = dossier.circumstances_on(day, one.id)
    held = hold(one.rule.action, lane(one.rule.action, one.id), found, day)
    return matches(one.rule, facts).matched and held is None


@settings(max_examples=120, deadline=None)
@given(dossier=DOSSIERS, rules=RULES)
def test_the_forecast_is_what_the_runs_will_do(dossier: Dossier, rules: list[RuleInForce]) -> None:
    """The first run that takes the customer, no earlier one, none where it says none."""
    found = look(dossier, rules, NOW)
    begun = dossier.settled(D0)
    expected = next((p for p in all_runs(rules) if takes(begun, p[1], p[0].slot.date())), None)
    if isinstance(found, Forecast):
        assert expected == (found.run, found.rule)
        assert found.values == dict(matches(found.rule.rule, found.facts).values)
    else:
        assert expected is None
        assert (found.reason is Quiet.HELD) == any(
            matches(
                one.rule,
                derive(begun.account_on(run.slot.date()), today=run.slot.date(), currency="EUR"),
            ).matched
            and begun.circumstances_on(run.slot.date(), one.id).lanes_taken.isdisjoint(
                {lane(one.rule.action, one.id)}
            )
            for run, one in all_runs(rules)
            if not (one.rule.action is Action.MARK_PROBLEMATIC and begun.account.problematic)
        )


@settings(max_examples=60, deadline=None)
@given(dossier=DOSSIERS, rules=RULES)
def test_a_payment_of_so_much_stops_it_and_a_cent_less_does_not(
    dossier: Dossier, rules: list[RuleInForce]
) -> None:
    """Every sum from there on stops it; every cent of them is tried."""
    found = look(dossier, rules, NOW)
    assume(isinstance(found, Forecast))
    assert isinstance(found, Forecast)
    account = dossier.settled(D0).account_on(found.day)

    def still(amount: Decimal, currency: str) -> bool:
        paid = pay(account, amount, currency)
        facts = derive(paid, today=found.day, currency="EUR")
        return matches(found.rule.rule, facts).matched

    def total(currency: str) -> Decimal:
        return sum((i.open_amount for i in account.items if i.currency == currency), Decimal(0))

    if found.unless is None:
        assert still(total("EUR"), "EUR")
        assert still(total("CHF"), "CHF")
        return
    currency, amount = found.unless.currency, found.unless.amount
    assert amount >= CENT
    assert still(amount - CENT, currency)
    while amount <= total(currency):
        assert not still(amount, currency)
        amount += CENT
    assert currency == "EUR" or still(total("EUR"), "EUR")
