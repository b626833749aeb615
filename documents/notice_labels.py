"""The words of notices beside their templates, in both languages, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoticeLabels:
    """The words around the text of a notice, and those of the account manager's mail."""

    date: str
    reference: str
    deadline: str
    phone: str
    email: str
    invoice: str
    invoice_date: str
    due: str
    notices_before: str
    open_amount: str
    total: str
    to_pay: str
    agreed: str
    registered: str
    registered_abroad: str
    sample_note: str
    customer: str
    name: str
    debt: str
    overdue: str
    days: str
    level: str
    more: str


GERMAN = NoticeLabels(
    date="Datum",
    reference="Unser Zeichen",
    deadline="Zahlbar bis",
    phone="Telefon",
    email="E-Mail",
    invoice="Rechnung",
    invoice_date="Rechnungsdatum",
    due="Fällig am",
    notices_before="Bisher gemahnt",
    open_amount="Offen {currency}",
    total="Offener Gesamtbetrag",
    to_pay="Zu zahlen",
    agreed="Vereinbart zum {date}",
    registered="Einschreiben",
    registered_abroad="Einschreiben / Recommandé / Registered",
    sample_note="Muster, keine Zahlungsaufforderung",
    customer="Kunde",
    name="Name",
    debt="Offen",
    overdue="Überfällig",
    days="Tage",
    level="Stufe",
    more="und {count} weitere; `zahltag customer list` zeigt alle.",
)

ENGLISH = NoticeLabels(
    date="Date",
    reference="Our reference",
    deadline="Payable by",
    phone="Phone",
    email="E-mail",
    invoice="Invoice",
    invoice_date="Invoice date",
    due="Due date",
    notices_before="Notices so far",
    open_amount="Open {currency}",
    total="Total open",
    to_pay="To pay",
    agreed="Agreed for {date}",
    registered="Einschreiben",
    registered_abroad="Einschreiben / Recommandé / Registered",
    sample_note="Sample, not a request for payment",
    customer="Customer",
    name="Name",
    debt="Open",
    overdue="Overdue",
    days="Days",
    level="Level",
    more="and {count} more; `zahltag customer list` shows them all.",
)


def notice_labels(language: str) -> NoticeLabels:
    """Return the words of ``de``; every other language reads English."""
    return GERMAN if language == "de" else ENGLISH
