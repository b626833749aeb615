"""The texts of what comes next in dunning, in English and in German.

They are for the staff: no name, no address, no text that somebody wrote about a customer.
"""

from __future__ import annotations

from collections.abc import Mapping

from domain.dunning.actions import Action
from domain.dunning.holds import Hold
from domain.dunning.phrasebook import Counted, Language, Phrases
from domain.dunning.prospect import Quiet

_NOTICE_EN = "notice {level} ({template})"
_NOTICE_DE = "Mahnung {level} ({template})"

ENGLISH = Phrases(
    steps={
        Action.EMAIL: _NOTICE_EN,
        Action.LETTER: _NOTICE_EN,
        Action.EMAIL_OR_LETTER: _NOTICE_EN,
        Action.CALL_TASK: "a task to call",
        Action.LAWYER_TASK: "a task to hand over to the lawyer",
        Action.INSTALMENT_REMINDER: "a reminder of the agreed payment date",
        Action.MARK_PROBLEMATIC: "a mark as problematic",
        Action.HAND_TO_ACCOUNT_MANAGER: "a word to the account manager",
    },
    templates={
        "payment_reminder": "payment reminder",
        "first_notice": "first notice",
        "final_notice": "final notice",
        "instalment_reminder": "instalment reminder",
    },
    next_step="{step} on {day} by rule '{rule}'",
    after_approval=", after approval",
    nothing="nothing that a rule does on its own",
    level_sent="level {level} was sent",
    level_sent_days="level {level} was sent {ago}",
    notices_sent=Counted("no notice was sent yet", "1 notice was sent", "{n} notices were sent"),
    and_the_last=", the last one {ago}",
    the_last="the last notice was sent {ago}",
    days_ago=Counted("the same day", "1 day ago", "{n} days ago"),
    counted={
        "calls_count": Counted("no call was made", "1 call was made", "{n} calls were made"),
        "oldest_overdue_days": Counted(
            "",
            "the oldest invoice is 1 day overdue",
            "the oldest invoice is {n} days overdue",
        ),
        "promise_overdue_days": Counted(
            "",
            "an agreed payment date passed 1 day ago",
            "an agreed payment date passed {n} days ago",
        ),
        "open_call_tasks": Counted(
            "no call task is open", "1 call task is open", "{n} call tasks are open"
        ),
    },
    flags={
        "is_problematic": ("the customer is marked as problematic", ""),
        "credit_limit_exceeded": ("the credit limit is exceeded", "the credit limit is kept"),
    },
    last_call="the last successful call was {ago}",
    contacts={
        "phone": "contact by phone is preferred",
        "post": "contact by post is preferred",
        "email": "contact by e-mail is preferred",
        "any": "no way of contact is preferred",
    },
    custom_is="custom field {number} is '{value}'",
    custom_contains="custom field {number} contains '{value}'",
    open="{sums} are open",
    unless=dict.fromkeys(Action, "not sent if {causes}")
    | {
        Action.CALL_TASK: "not created if {causes}",
        Action.LAWYER_TASK: "not created if {causes}",
        Action.MARK_PROBLEMATIC: "not marked if {causes}",
        Action.HAND_TO_ACCOUNT_MANAGER: "not handed over if {causes}",
    },
    arrives="at least {sum} arrive before",
    agreed_arrives="the agreed payment arrives",
    date_agreed="a payment date is agreed",
    blocked="dunning is blocked",
    not_earlier="not earlier because {held}",
    held={
        Hold.BLOCKED: ("dunning is blocked without an end", "dunning is blocked until {day}"),
        Hold.PENDING: ("a notice is under way already", ""),
        Hold.REJECTED: ("", "a person put it off until {day}"),
        Hold.PROMISED: ("", "a payment date was agreed for {day}"),
        Hold.NO_EMAIL: ("there is no e-mail address", ""),
        Hold.TAKEN: ("the customer was taken that day already", ""),
    },
    quiet={
        Quiet.NO_RULES: "no dunning rule is active",
        Quiet.NOTHING_OPEN: "nothing is open",
        Quiet.NO_RUN: "no active rule runs within {days} days",
        Quiet.NOT_CONCERNED: "nothing is open or overdue within {days} days that an active rule"
        " could be about",
        Quiet.HELD: "rule '{rule}' would take this customer, but {held}",
        Quiet.REJECTED: "no rule takes this customer within {days} days: {miss}",
    },
    wants="'{rule}' wants {filter}",
    is_=", but it is {found}",
    is_none=", but there is none",
    is_another=", but it is another",
    and_="and",
    or_="or",
    yes_no=("true", "false"),
    contains="contains",
)

GERMAN = Phrases(
    steps={
        Action.EMAIL: _NOTICE_DE,
        Action.LETTER: _NOTICE_DE,
        Action.EMAIL_OR_LETTER: _NOTICE_DE,
        Action.CALL_TASK: "Aufgabe anzurufen",
        Action.LAWYER_TASK: "Aufgabe zur Anwaltsübergabe",
        Action.INSTALMENT_REMINDER: "Erinnerung an den vereinbarten Zahlungstermin",
        Action.MARK_PROBLEMATIC: "Markierung als problematisch",
        Action.HAND_TO_ACCOUNT_MANAGER: "Nachricht an den Kundenbetreuer",
    },
    templates={
        "payment_reminder": "Zahlungserinnerung",
        "first_notice": "Erste Mahnung",
        "final_notice": "Letzte Mahnung",
        "instalment_reminder": "Ratenzahler-Erinnerung",
    },
    next_step="{step} am {day} durch Regel „{rule}“",
    after_approval=", nach Freigabe",
    nothing="nichts, was eine Regel von selbst tut",
    level_sent="Stufe {level} wurde verschickt",
    level_sent_days="Stufe {level} wurde {ago} verschickt",
    notices_sent=Counted(
        "noch keine Mahnung wurde verschickt",
        "1 Mahnung wurde verschickt",
        "{n} Mahnungen wurden verschickt",
    ),
    and_the_last=", die letzte {ago}",
    the_last="die letzte Mahnung wurde {ago} verschickt",
    days_ago=Counted("am selben Tag", "vor 1 Tag", "vor {n} Tagen"),
    counted={
        "calls_count": Counted(
            "es wurde noch nicht angerufen", "1 Anruf ist erfolgt", "{n} Anrufe sind erfolgt"
        ),
        "oldest_overdue_days": Counted(
            "",
            "die älteste Rechnung ist seit 1 Tag überfällig",
            "die älteste Rechnung ist seit {n} Tagen überfällig",
        ),
        "promise_overdue_days": Counted(
            "",
            "ein vereinbarter Zahlungstermin ist seit 1 Tag verstrichen",
            "ein vereinbarter Zahlungstermin ist seit {n} Tagen verstrichen",
        ),
        "open_call_tasks": Counted(
            "keine Anrufaufgabe ist offen",
            "1 Anrufaufgabe ist offen",
            "{n} Anrufaufgaben sind offen",
        ),
    },
    flags={
        "is_problematic": ("der Kunde ist als problematisch markiert", ""),
        "credit_limit_exceeded": (
            "das Kreditlimit ist überschritten",
            "das Kreditlimit ist eingehalten",
        ),
    },
    last_call="der letzte erfolgreiche Anruf war {ago}",
    contacts={
        "phone": "Kontakt per Telefon ist bevorzugt",
        "post": "Kontakt per Post ist bevorzugt",
        "email": "Kontakt per E-Mail ist bevorzugt",
        "any": "keine Kontaktmethode ist bevorzugt",
    },
    custom_is="das individuelle Feld {number} ist „{value}“",
    custom_contains="das individuelle Feld {number} enthält „{value}“",
    open="{sums} sind offen",
    unless=dict.fromkeys(Action, "entfällt, wenn {causes}"),
    arrives="vorher mindestens {sum} eingehen",
    agreed_arrives="die vereinbarte Zahlung eingeht",
    date_agreed="ein Zahlungstermin vereinbart wird",
    blocked="das Mahnen gesperrt wird",
    not_earlier="nicht früher, denn {held}",
    held={
        Hold.BLOCKED: (
            "das Mahnen ist ohne Ende gesperrt",
            "das Mahnen ist bis zum {day} gesperrt",
        ),
        Hold.PENDING: ("eine Mahnung ist schon unterwegs", ""),
        Hold.REJECTED: ("", "jemand hat es bis zum {day} zurückgestellt"),
        Hold.PROMISED: ("", "für den {day} wurde ein Zahlungstermin vereinbart"),
        Hold.NO_EMAIL: ("es gibt keine E-Mail-Adresse", ""),
        Hold.TAKEN: ("der Kunde war an dem Tag schon an der Reihe", ""),
    },
    quiet={
        Quiet.NO_RULES: "keine Mahnregel ist aktiv",
        Quiet.NOTHING_OPEN: "nichts ist offen",
        Quiet.NO_RUN: "keine aktive Regel läuft in den nächsten {days} Tagen",
        Quiet.NOT_CONCERNED: "in den nächsten {days} Tagen ist nichts offen oder überfällig,"
        " worum es einer aktiven Regel gehen könnte",
        Quiet.HELD: "Regel „{rule}“ träfe diesen Kunden, aber {held}",
        Quiet.REJECTED: "keine Regel trifft diesen Kunden in den nächsten {days} Tagen: {miss}",
    },
    wants="„{rule}“ verlangt {filter}",
    is_=", gefunden wurde {found}",
    is_none=", das gibt es hier nicht",
    is_another=", gefunden wurde etwas anderes",
    and_="und",
    or_="oder",
    yes_no=("Ja", "Nein"),
    contains="enthält",
)

PHRASES: Mapping[Language, Phrases] = {"en": ENGLISH, "de": GERMAN}
