"""The mail to an account manager (Kundenbetreuer, K6): one per run, listing the customers (X15)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from documents.formatting import Formats, formats
from documents.mail_layout import Block, Paragraph, Table, lay_out
from documents.mail_message import MailContent
from documents.notice_labels import NoticeLabels, notice_labels
from documents.one_line import one_line
from domain.company import Company
from domain.money import Money

KIND = "manager"
# Of more customers the rest is counted: a mail of megabytes is read by nobody.
MOST = 500


@dataclass(frozen=True, slots=True)
class HandedOver:
    """A customer handed to the account manager.

    ``debt`` and ``overdue`` hold a sum per currency; ``oldest_overdue_days`` is None where nothing
    is overdue.
    """

    customer_no: str
    name: str
    debt: tuple[Money, ...]
    overdue: tuple[Money, ...]
    oldest_overdue_days: int | None
    level: int


@dataclass(frozen=True, slots=True)
class ManagerMail:
    """What one account manager gets of one run of a rule, on a local day."""

    company: Company
    manager: str
    rule: str
    day: date
    customers: tuple[HandedOver, ...]


def render_manager_mail(mail: ManagerMail) -> MailContent:
    """Return the mail, in the company's language; the customer most overdue comes first."""
    language = "de" if mail.company.language == "de" else "en"
    form = formats(language, mail.company.address.country)
    words = notice_labels(language)
    ordered = sorted(
        mail.customers, key=lambda each: (-(each.oldest_overdue_days or -1), each.customer_no)
    )
    blocks: list[Block] = [Paragraph(lines) for lines in _intro(mail, language, form.day(mail.day))]
    blocks.append(_table(ordered[:MOST], words, form))
    if len(ordered) > MOST:
        blocks.append(Paragraph((words.more.format(count=len(ordered) - MOST),)))
    return lay_out(KIND, language, _subject(mail, language), blocks, mail.company)


def _subject(mail: ManagerMail, language: str) -> str:
    rule, count = one_line(mail.rule), len(mail.customers)
    if language == "de":
        return f"{count} Kunde: {rule}" if count == 1 else f"{count} Kunden: {rule}"
    return f"{count} customer: {rule}" if count == 1 else f"{count} customers: {rule}"


def _intro(mail: ManagerMail, language: str, day: str) -> list[tuple[str, ...]]:
    name, rule = one_line(mail.manager), one_line(mail.rule)
    if language == "de":
        return [
            (f"Guten Tag {name}," if name else "Guten Tag,",),
            (f"die Regel „{rule}“ hat Ihnen am {day} diese Kunden übergeben:",),
        ]
    return [
        (f"Hello {name}," if name else "Hello,",),
        (f"On {day} the rule “{rule}” handed these customers to you:",),
    ]


def _table(customers: list[HandedOver], words: NoticeLabels, form: Formats) -> Table:
    return Table(
        columns=(words.customer, words.name, words.debt, words.overdue, words.days, words.level),
        rows=tuple(
            (
                one_line(each.customer_no),
                one_line(each.name),
                _sums(each.debt, form),
                _sums(each.overdue, form),
                "–" if each.oldest_overdue_days is None else str(each.oldest_overdue_days),
                str(each.level),
            )
            for each in customers
        ),
        right=frozenset({2, 3, 4, 5}),
    )


def _sums(amounts: tuple[Money, ...], form: Formats) -> str:
    """Write each currency's own sum; never one of several."""
    return " + ".join(form.money(each.amount, each.currency) for each in amounts) or "–"
