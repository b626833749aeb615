"""What stands on the letter of a notice, word by word: the template only places it.

The keys are those the template reads; every value is ready to print.
"""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Any

from documents.epc import epc_svg
from documents.formatting import Formats, iban_groups
from documents.glyphs import printable
from documents.invoice_header import footer_columns, postal_lines, sender_line
from documents.labels import Labels, labels
from documents.notice_labels import NoticeLabels, notice_labels
from documents.notice_mail import agreed_rows
from documents.notice_templates import INVOICES, PAYMENT
from documents.notice_text import NoticeText, formats_of, language_of, notice_text
from documents.transfer import code_payload
from domain.company import Company
from domain.dunning.notice import Notice
from domain.invoicing import footer_entries, seller_of

_FACT_WIDTH = 30
# The column of amounts in mm: at least this; more where a figure is longer than usual.
_AMOUNT = 27.0
_DIGIT = 1.75
_PADDING = 3.0


def notice_view(notice: Notice, company: Company, templates: Path | None = None) -> dict[str, Any]:
    """Return everything the template prints, in the customer's language."""
    language = language_of(notice)
    words, common, form = notice_labels(language), labels(language), formats_of(notice)
    said = notice_text(notice, company, letter=True, templates=templates)
    seller = seller_of(company)
    rows = _rows(notice, form)
    return {
        "lang": language,
        "heading": printable(said.heading),
        "subject": printable(said.subject),
        "brand": printable(company.name),
        "issued": [notice.sent_on.year, notice.sent_on.month, notice.sent_on.day],
        "sample": common.sample if company.sample else "",
        "sample_note": words.sample_note if company.sample else "",
        "page": common.page,
        "sender": sender_line(seller),
        "endorsement": _endorsement(notice, company, words),
        "recipient": address_lines(notice, company),
        "facts": _facts(notice, company, words, common, form),
        "paragraphs": _paragraphs(said),
        "columns": [
            words.invoice,
            words.invoice_date,
            words.due,
            words.notices_before,
            words.open_amount.format(currency=notice.currency),
        ],
        "rows": rows,
        "amount_width": max(_AMOUNT, _DIGIT * max(len(row["amount"]) for row in rows) + _PADDING),
        "total": [words.total, form.money(notice.total, notice.currency)],
        "carried": common.carried,
        "carried_over": common.carried_over,
        "payment": _payment(notice, company, words, common, form),
        "footer": footer_columns(
            seller, dict(footer_entries(company)), company.iban, company.bic, common
        ),
    }


def address_lines(notice: Notice, company: Company) -> list[str]:
    """Return the recipient as it stands in the window: name, street, place, country if abroad."""
    to = notice.recipient
    return postal_lines(to.name, to.address, company.address.country, formats_of(notice))


def _endorsement(notice: Notice, company: Company, words: NoticeLabels) -> str:
    """Return what the post has to know, above the address (Zusatz- und Vermerkzone)."""
    if not notice.registered_mail:
        return ""
    abroad = notice.recipient.address.country != company.address.country
    return words.registered_abroad if abroad else words.registered


def _facts(
    notice: Notice, company: Company, words: NoticeLabels, common: Labels, form: Formats
) -> list[list[str]]:
    pairs = (
        (words.date, form.day(notice.sent_on)),
        (common.customer_no, notice.recipient.customer_no),
        (words.reference, notice.reference),
        (words.deadline, form.day(notice.deadline)),
        (words.phone, company.phone),
        (words.email, company.email),
    )
    return [
        [label, _breakable_at(printable(value, longest_word=_FACT_WIDTH, limit=80))]
        for label, value in pairs
        if value
    ]


def _breakable_at(text: str) -> str:
    """Let a long e-mail address go on in the next line from its @."""
    return text.replace("@", "\N{ZERO WIDTH SPACE}@")


def _paragraphs(said: NoticeText) -> list[dict[str, Any]]:
    kinds: dict[tuple[str, ...], str] = {(INVOICES,): "invoices", (PAYMENT,): "payment"}
    return [
        {
            "kind": kinds.get(lines, "words"),
            "lines": []
            if lines in kinds
            else [printable(line, limit=4000, keep_together=True) for line in lines],
        }
        for lines in said.paragraphs
    ]


def _rows(notice: Notice, form: Formats) -> list[dict[str, str]]:
    """Return the invoices; each bears the sum so far, which a page that ends there carries over."""
    running = accumulate(line.open_amount for line in notice.lines)
    return [
        {
            "invoice": printable(line.invoice_no, longest_word=24, limit=80),
            "date": form.short_day(line.invoice_date),
            "due": form.short_day(line.due_date),
            "notices": str(line.notices_before),
            "amount": form.amount(line.open_amount, notice.currency),
            "running": form.amount(so_far, notice.currency),
        }
        for line, so_far in zip(notice.lines, running, strict=True)
    ]


def _payment(
    notice: Notice, company: Company, words: NoticeLabels, common: Labels, form: Formats
) -> dict[str, Any]:
    """Return the sentence, the bank details and the QR code for exactly the sum asked for."""
    amount = form.money(notice.payable, notice.currency)
    details = [
        *agreed_rows(notice, words, form),
        (common.recipient, printable(company.name)),
        ("IBAN", iban_groups(company.iban)),
        ("BIC", printable(company.bic)),
        (common.reference, printable(notice.remittance)),
    ]
    payload = code_payload(notice, company)
    return {
        "title": common.pay_title,
        "amount": [words.to_pay, amount],
        "deadline": [words.deadline, form.day(notice.deadline)],
        "details": [[label, value] for label, value in details if value],
        "qr": epc_svg(payload) if payload else "",
        "qr_caption": common.scan,
        "qr_alt": common.scan_alt.format(amount=amount, name=printable(company.name)),
    }
