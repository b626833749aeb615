"""Notices as mails, of the kinds ``notice`` and ``instalment_reminder``."""

from __future__ import annotations

from pathlib import Path

from documents.formatting import Formats
from documents.labels import labels
from documents.mail_base import bank_details
from documents.mail_layout import Block, Details, Paragraph, Table, lay_out
from documents.mail_message import MailContent
from documents.notice_labels import NoticeLabels, notice_labels
from documents.notice_templates import INVOICES, PAYMENT
from documents.notice_text import formats_of, language_of, notice_text
from documents.one_line import one_line
from domain.company import Company
from domain.dunning.notice import INSTALMENT_REMINDER, Notice

NOTICE = "notice"


def render_notice_mail(
    notice: Notice, company: Company, *, attached: bool, templates: Path | None = None
) -> MailContent:
    """Return the mail of a notice; ``attached`` if its PDF goes with it.

    ``templates`` is the folder of the user's own texts. BrokenTemplateError, before anything is
    sent, if one of them cannot be used.
    """
    language = language_of(notice)
    words, form = notice_labels(language), formats_of(notice)
    said = notice_text(notice, company, letter=False, attached=attached, templates=templates)
    fixed: dict[tuple[str, ...], Block] = {
        (INVOICES,): _invoices(notice, words, form),
        (PAYMENT,): Details(_payment(notice, company, words, form)),
    }
    blocks = [fixed.get(lines) or Paragraph(lines) for lines in said.paragraphs]
    return lay_out(kind_of(notice), language, said.subject, blocks, company)


def kind_of(notice: Notice) -> str:
    """Return the kind of mail that a notice is."""
    return INSTALMENT_REMINDER if notice.template == INSTALMENT_REMINDER else NOTICE


def _invoices(notice: Notice, words: NoticeLabels, form: Formats) -> Table:
    return Table(
        columns=(
            words.invoice,
            words.invoice_date,
            words.due,
            words.notices_before,
            words.open_amount.format(currency=notice.currency),
        ),
        rows=tuple(
            (
                one_line(line.invoice_no),
                form.short_day(line.invoice_date),
                form.short_day(line.due_date),
                str(line.notices_before),
                form.amount(line.open_amount, notice.currency),
            )
            for line in notice.lines
        ),
        right=frozenset({3, 4}),
        sums=((words.total, form.money(notice.total, notice.currency)),),
    )


def agreed_rows(notice: Notice, words: NoticeLabels, form: Formats) -> list[tuple[str, str]]:
    """Return what was agreed where it is more than one payment: date and amount of each."""
    if len(notice.agreed) < 2:
        return []
    return [
        (
            words.agreed.format(date=form.day(each.due_date)),
            form.money(notice.total if each.amount is None else each.amount, notice.currency),
        )
        for each in notice.agreed
    ]


def _payment(
    notice: Notice, company: Company, words: NoticeLabels, form: Formats
) -> tuple[tuple[str, str], ...]:
    """Return what a transfer needs, and of an agreement what was agreed."""
    agreed = [
        (
            words.agreed.format(date=form.day(each.due_date)),
            form.money(each.amount, notice.currency),
        )
        for each in notice.agreed
        if each.amount is not None and len(notice.agreed) > 1
    ]
    rows = [
        *agreed,
        (words.to_pay, form.money(notice.payable, notice.currency)),
        (words.deadline, form.day(notice.deadline)),
        *bank_details(company, notice.remittance, labels(language_of(notice))),
    ]
    return tuple((label, one_line(value)) for label, value in rows if value)
