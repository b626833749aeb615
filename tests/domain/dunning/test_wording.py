"""The sentences that staff read, word by word, in English and German."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.dunning.actions import Action
from domain.dunning.dossier import Dossier, Period
from domain.dunning.facts import Account, Item
from domain.dunning.holds import Hold
from domain.dunning.ladder import Ladder
from domain.dunning.phrasebook import Language
from domain.dunning.phrases import PHRASES
from domain.dunning.prospect import Forecast, Held, Quiet, Silence
from domain.dunning.wording import next_step, why

from .rules import O1, O2, O3, condition
from .test_forecast import D0, at, in_force, look, owing, silence

LATER = date(2026, 11, 20)
SECOND = {**O2, "name": "Standard: Erste Mahnung", "approval_required": True}


def said(found: Forecast | Silence) -> dict[str, tuple[str, str]]:
    """Both sentences in both languages."""
    languages: tuple[Language, ...] = ("en", "de")
    return {language: (next_step(found, language), why(found, language)) for language in languages}


def test_the_sentence_of_the_issue() -> None:
    """Notice 2, its day, why, and what would change it: level 1 was sent 14 days before."""
    account = owing("1190.00", LATER - timedelta(20), ladder=Ladder(1, 1, 0, LATER))
    filters = [
        *(condition("is_problematic", "=", value=False), condition("notices_count", "=", 1)),
        *(condition("days_since_last_notice", ">=", 8), condition("debt", ">=", 300)),
    ]
    rules = in_force({**SECOND, "filters": filters}, start=date(2026, 12, 4))
    assert said(look(account, rules, at(LATER, 17))) == {
        "en": (
            "notice 2 (first notice) on 2026-12-04 by rule 'Standard: Erste Mahnung', after"
            " approval",
            "level 1 was sent 14 days ago and 1,190.00 EUR are open; not sent if at least"
            " 890.01 EUR arrive before, a payment date is agreed or dunning is blocked",
        ),
        "de": (
            "Mahnung 2 (Erste Mahnung) am 04.12.2026 durch Regel „Standard: Erste Mahnung“, nach"
            " Freigabe",
            "Stufe 1 wurde vor 14 Tagen verschickt und 1.190,00 EUR sind offen; entfällt, wenn"
            " vorher mindestens 890,01 EUR eingehen, ein Zahlungstermin vereinbart wird oder das"
            " Mahnen gesperrt wird",
        ),
    }


def test_the_first_reminder_and_the_call() -> None:
    """O1 and O3, without an approval; a promise that lets earlier runs pass."""
    account = owing("1190.00", D0 - timedelta(30), agreed_dates=(D0,))
    rule = {**O1, "approval_required": False}
    found = said(look(account, in_force(rule), at(D0)))
    assert found["en"] == (
        "notice 1 (payment reminder) on 2026-03-17 by rule 'Zahlungserinnerung'",
        "no notice was sent yet, the oldest invoice is 44 days overdue and 1,190.00 EUR are open;"
        " not sent if at least 1,190.00 EUR arrive before, a payment date is agreed or dunning is"
        " blocked; not earlier because a payment date was agreed for 2026-03-03",
    )
    assert found["de"] == (
        "Mahnung 1 (Zahlungserinnerung) am 17.03.2026 durch Regel „Zahlungserinnerung“",
        "noch keine Mahnung wurde verschickt, die älteste Rechnung ist seit 44 Tagen überfällig"
        " und 1.190,00 EUR sind offen; entfällt, wenn vorher mindestens 1.190,00 EUR eingehen, ein"
        " Zahlungstermin vereinbart wird oder das Mahnen gesperrt wird; nicht früher, denn für den"
        " 03.03.2026 wurde ein Zahlungstermin vereinbart",
    )
    account = owing("1190.00", D0 - timedelta(30), ladder=Ladder(2, 2, 0, D0 - timedelta(1)))
    found = said(look(account, in_force(O3), at(D0)))
    assert found["en"] == (
        "a task to call on 2026-03-16 by rule 'Telefonanruf'",
        "level 2 was sent 14 days ago and 1,190.00 EUR are open; not created if at least"
        " 890.01 EUR arrive before, a payment date is agreed or dunning is blocked",
    )
    assert found["de"][0] == "Aufgabe anzurufen am 16.03.2026 durch Regel „Telefonanruf“"


NOTICE_ON = D0 - timedelta(1)
FULL = Account(
    items=(
        Item("EUR", Decimal("1190.00"), D0 - timedelta(1)),
        Item("JPY", Decimal(5000), D0 + timedelta(99)),
    ),
    problematic=True,
    preferred_contact="phone",
    credit_limit=Decimal(1000),
    custom_fields=("secret A", *[""] * 6),
    ladder=Ladder(3, 2, 1, NOTICE_ON),
    open_call_tasks=2,
    agreed_dates=(D0 - timedelta(3),),
    last_successful_call_on=D0 - timedelta(1),
)


@pytest.mark.parametrize(
    ("conditions", "english", "german"),
    [
        ([("is_problematic", "=", True)], "the customer is marked as problematic", "der Kunde ist als problematisch markiert"),
        ([("notices_count", "=", 2)], "2 notices were sent", "2 Mahnungen wurden verschickt"),
        (
            [("notices_count", "=", 2), ("days_since_last_notice", "=", 1)],
            "2 notices were sent, the last one 1 day ago",
            "2 Mahnungen wurden verschickt, die letzte vor 1 Tag",
        ),
        ([("days_since_last_notice", "=", 1)], "the last notice was sent 1 day ago", "die letzte Mahnung wurde vor 1 Tag verschickt"),
        ([("calls_count", ">", 0)], "1 call was made", "1 Anruf ist erfolgt"),
        ([("oldest_overdue_days", "=", 1)], "the oldest invoice is 1 day overdue", "die älteste Rechnung ist seit 1 Tag überfällig"),
        ([("preferred_contact", "=", "phone")], "contact by phone is preferred", "Kontakt per Telefon ist bevorzugt"),
        ([("credit_limit_exceeded", "=", True)], "the credit limit is exceeded", "das Kreditlimit ist überschritten"),
        ([("open_call_tasks", ">", 1)], "2 call tasks are open", "2 Anrufaufgaben sind offen"),
        (
            [("promise_overdue_days", ">", 1)],
            "an agreed payment date passed 3 days ago",
            "ein vereinbarter Zahlungstermin ist seit 3 Tagen verstrichen",
        ),
        ([("days_since_successful_call", "=", 1)], "the last successful call was 1 day ago", "der letzte erfolgreiche Anruf war vor 1 Tag"),
        ([("custom_field_1", "contains", "A")], "custom field 1 contains 'A'", "das individuelle Feld 1 enthält „A“"),
    ],
)  # fmt: skip
def test_each_field_has_its_clause(
    conditions: list[tuple[str, str, Any]], english: str, german: str
) -> None:
    """The fact behind the filter, then what is open in every currency."""
    daily = {"interval": "daily", "weekday": None, "filters": [condition(*c) for c in conditions]}
    found = said(look(FULL, in_force({**O1, **daily}), at(D0)))
    assert found["en"][1].startswith(f"{english} and 1,190.00 EUR and 5,000 JPY are open; not sent")
    assert found["de"][1].startswith(f"{german} und 1.190,00 EUR und 5.000 JPY sind offen; entf")
    assert "secret" not in str(found)


@pytest.mark.parametrize("action", Action)
def test_each_action_has_its_words(action: Action) -> None:
    """In both languages; what concerns only ourselves is stopped by no agreement and no block."""
    document = {**O1, "filters": [condition("debt", ">", 300)]}
    (one,) = in_force(document)
    one = replace(one, rule=replace(one.rule, action=action))
    account = replace(FULL, problematic=False)
    found = said(look(account, [one], at(D0)))
    for step, reason in found.values():
        assert "{" not in step + reason
    agreed = "a payment date is agreed" in found["en"][1]
    blocked = "dunning is blocked" in found["en"][1]
    ours = action in {Action.MARK_PROBLEMATIC, Action.HAND_TO_ACCOUNT_MANAGER}
    assert blocked is not ours
    assert agreed is (not ours and action is not Action.INSTALMENT_REMINDER)
    assert ("the agreed payment arrives" in found["en"][1]) is (
        action is Action.INSTALMENT_REMINDER
    )
    assert ("after approval" in found["en"][0]) is one.rule.needs_approval


def test_why_nothing_comes() -> None:
    """The nearest rule and its first filter that does not hold; money as money."""
    account = owing("300.50", D0 - timedelta(30), ladder=Ladder(3, 3, 0, D0 - timedelta(2)))
    last = {
        **O2,
        "name": "Standard: Letzte Mahnung",
        "filters": [condition("notices_count", "=", 2)],
    }
    found = said(silence(account, in_force(O1, last), at(D0)))
    assert found["en"] == (
        "nothing that a rule does on its own",
        "no rule takes this customer within 60 days: 'Standard: Letzte Mahnung' wants"
        " notices_count = 2, but it is 3",
    )
    assert found["de"] == (
        "nichts, was eine Regel von selbst tut",
        "keine Regel trifft diesen Kunden in den nächsten 60 Tagen: „Standard: Letzte Mahnung“"
        " verlangt Anzahl Mahnungen = 2, gefunden wurde 3",
    )

    def miss(field: str, operator: str, value: Any) -> str:
        rule = {**last, "filters": [condition(field, operator, value)]}
        return why(silence(account, in_force(rule), at(D0)), "en").partition("wants ")[2]

    assert miss("debt", ">", 3000) == "debt > 3000, but it is 300.50"
    assert miss("is_problematic", "=", value=True) == "is_problematic = true, but it is false"
    assert miss("promise_overdue_days", ">", 3) == "promise_overdue_days > 3, but there is none"
    marked = replace(account, custom_fields=("secret", *[""] * 6))
    rule = {**last, "filters": [condition("custom_field_1", "contains", "A")]}
    reason = why(silence(marked, in_force(rule), at(D0)), "de")
    assert reason.endswith("Individuelles Feld 1 enthält A, gefunden wurde etwas anderes")


def test_what_holds_everything_back() -> None:
    """With its day where there is one."""
    account, rules = owing("5.00", D0 - timedelta(30)), in_force(O1)
    endless = Dossier(account, blocks=(Period(D0),))
    assert said(look(endless, rules, at(D0))) == {
        "en": (
            "nothing that a rule does on its own",
            "rule 'Zahlungserinnerung' would take this customer, but dunning is blocked without an"
            " end",
        ),
        "de": (
            "nichts, was eine Regel von selbst tut",
            "Regel „Zahlungserinnerung“ träfe diesen Kunden, aber das Mahnen ist ohne Ende"
            " gesperrt",
        ),
    }
    pending = why(look(Dossier(account, notice_pending=True), rules, at(D0)))
    assert pending.endswith("but a notice is under way already")
    promised = replace(account, agreed_dates=(D0 + timedelta(90),))
    assert why(look(promised, rules, at(D0))).endswith("a payment date was agreed for 2026-06-01")


def test_no_text_is_missing() -> None:
    """Every hold, reason, field and action has words in both languages."""
    for language, say in PHRASES.items():
        assert set(say.held) == set(Hold)
        assert set(say.quiet) == set(Quiet)
        assert set(say.steps) == set(say.unless) == set(Action)
        assert all(any(texts) for texts in say.held.values())
        for hold in Hold:
            for until in (None, D0):
                if say.held[hold][0 if until is None else 1]:
                    silent = Silence(Quiet.HELD, 60, "A", Held(hold, until))
                    assert "{" not in why(silent, language)
        for reason in set(Quiet) - {Quiet.HELD, Quiet.REJECTED}:
            assert "{" not in why(Silence(reason, 60), language)
