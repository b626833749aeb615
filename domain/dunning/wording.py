"""Says what comes next in dunning, and why, in one sentence each: for the staff, in two languages.

The facts are those of the day of the run, not of today: "level 1 was sent 14 days ago" on that day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal

from domain.dunning.actions import TRAITS, Action, Need
from domain.dunning.filters import FIELDS, Filter, Kind, Operator
from domain.dunning.matching import Found
from domain.dunning.phrasebook import Language, Phrases
from domain.dunning.phrases import PHRASES
from domain.dunning.prospect import Forecast, Held, Silence
from domain.dunning.rule import Rule
from domain.money import minor_units


def next_step(found: Forecast | Silence, language: Language = "en") -> str:
    """Say what dunning does next and when: "notice 2 (first notice) on 2026-12-04 by rule 'A'"."""
    say = PHRASES[language]
    if isinstance(found, Silence):
        return say.nothing
    rule = found.rule.rule
    template = say.templates.get(found.template or "", found.template)
    said = say.next_step.format(
        step=say.steps[rule.action].format(level=found.level, template=template),
        day=_day(found.day, language),
        rule=rule.name,
    )
    return said + (say.after_approval if rule.needs_approval else "")


def why(found: Forecast | Silence, language: Language = "en") -> str:
    """Say why, and what would change it; of a silence, why no rule does anything."""
    say = PHRASES[language]
    if isinstance(found, Silence):
        return _why_not(found, say, language)
    clauses = _clauses(found.rule.rule, found.values, found.account.ladder.level, say)
    parts = [_listed([*clauses, _open(found, say, language)], say.and_)]
    causes = list(_causes(found, say, language))
    if causes:
        joined = _listed(causes, say.or_)
        parts.append(say.unless[found.rule.rule.action].format(causes=joined))
    if found.held and found.held.until:
        parts.append(say.not_earlier.format(held=_held(found.held, say, language)))
    return "; ".join(parts)


def because(rule: Rule, values: Mapping[str, Found], level: int, language: Language = "en") -> str:
    """Say why a rule has taken a customer: the values that its filters compared, and the level."""
    say = PHRASES[language]
    said = list(filter(None, _clauses(rule, values, level, say)))
    return _listed(said, say.and_) if said else ""


def _clauses(rule: Rule, values: Mapping[str, Found], level: int, say: Phrases) -> Iterator[str]:
    """Say the facts behind the filters, each once; what is nothing special is left out."""
    if values.keys() & {"notices_count", "days_since_last_notice"}:
        yield _notices(values, level, say)
    for field in FIELDS:
        if field in values:
            yield _clause(field, values[field], say)
    for one in rule.filters:
        if FIELDS[one.field].kind is Kind.TEXT:
            # The rule's own text, not the customer's: that one may be personal.
            text = say.custom_is if one.operator is Operator.EQUAL else say.custom_contains
            yield text.format(number=one.field.removeprefix("custom_field_"), value=one.value)


def _clause(field: str, value: Found, say: Phrases) -> str:
    """Say one fact; empty for what is said elsewhere in the sentence."""
    if field in say.flags:
        return say.flags[field][0 if value else 1]
    if field in say.counted and isinstance(value, int):
        return say.counted[field].of(value)
    if field == "days_since_successful_call" and isinstance(value, int):
        return say.last_call.format(ago=say.days_ago.of(value))
    return say.contacts[str(value)] if field == "preferred_contact" else ""


def _notices(values: Mapping[str, Found], level: int, say: Phrases) -> str:
    """Say what was sent and when; the level where it is the number of notices, as it mostly is."""
    days, count = values.get("days_since_last_notice"), values.get("notices_count")
    ago = say.days_ago.of(days) if isinstance(days, int) else ""
    if not isinstance(count, int):
        return say.the_last.format(ago=ago)
    if count and count == level:
        return (say.level_sent_days if ago else say.level_sent).format(level=level, ago=ago)
    return say.notices_sent.of(count) + (say.and_the_last.format(ago=ago) if ago else "")


def _open(found: Forecast, say: Phrases, language: Language) -> str:
    sums = dict[str, Decimal]()
    for item in found.account.items:
        if item.open_amount > 0:
            sums[item.currency] = sums.get(item.currency, Decimal(0)) + item.open_amount
    said = [_money(amount, currency, language) for currency, amount in sums.items()]
    return say.open.format(sums=_listed(said, say.and_))


def _causes(found: Forecast, say: Phrases, language: Language) -> Iterator[str]:
    """Say what would stop it: a payment, an agreed date, a block."""
    rule = found.rule.rule
    traits = TRAITS[rule.action]
    if found.unless:
        amount = _money(found.unless.amount, found.unless.currency, language)
        yield say.arrives.format(sum=amount)
    if traits.need is Need.AGREED_DATE or "promise_overdue_days" in found.values:
        yield say.agreed_arrives
    if traits.contacts and rule.action is not Action.INSTALMENT_REMINDER:
        yield say.date_agreed
    if traits.contacts:
        yield say.blocked


def _why_not(found: Silence, say: Phrases, language: Language) -> str:
    held = _held(found.held, say, language) if found.held else ""
    miss = _miss(found, say, language) if found.failed else ""
    return say.quiet[found.reason].format(days=found.days, rule=found.rule, held=held, miss=miss)


def _miss(found: Silence, say: Phrases, language: Language) -> str:
    """Say which filter of the nearest rule does not hold, in the words of the rule file."""
    one = found.failed
    if one is None:
        return ""
    wanted = say.wants.format(rule=found.rule, filter=_condition(one, say, language))
    if found.found is None:
        return wanted + say.is_none
    if FIELDS[one.field].kind is Kind.TEXT:
        return wanted + say.is_another  # a customer's text may be personal
    return wanted + say.is_.format(found=_value(found.found, say, language))


def _condition(one: Filter, say: Phrases, language: Language) -> str:
    operator = say.contains if one.operator is Operator.CONTAINS else one.operator.value
    field = FIELDS[one.field].german if language == "de" else one.field
    return f"{field} {operator} {_value(one.value, say, language)}"


def _value(value: Found, say: Phrases, language: Language) -> str:
    if isinstance(value, bool):
        return say.yes_no[0 if value else 1]
    return _number(f"{value:,.2f}", language) if isinstance(value, Decimal) else str(value)


def _held(held: Held, say: Phrases, language: Language) -> str:
    for_ever, until = say.held[held.hold]
    return until.format(day=_day(held.until, language)) if held.until else for_ever


def _day(day: date, language: Language) -> str:
    return f"{day:%d.%m.%Y}" if language == "de" else day.isoformat()


def _money(amount: Decimal, currency: str, language: Language) -> str:
    return f"{_number(f'{amount:,.{minor_units(currency)}f}', language)} {currency}"


def _number(written: str, language: Language) -> str:
    return written.translate(str.maketrans(",.", ".,")) if language == "de" else written


def _listed(parts: Iterable[str], last: str) -> str:
    """Join with commas and a last word: "a, b and c"."""
    *others, end = filter(None, parts)
    return f"{', '.join(others)} {last} {end}" if others else end
