"""What a notice says: subject, heading and paragraphs, the same for mail and letter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from documents.formatting import Formats, formats
from documents.notice_templates import (
    INVOICES,
    PAYMENT,
    BrokenTemplateError,
    Template,
    fill,
    find,
)
from documents.one_line import one_line
from documents.transfer import has_code
from domain.company import Company
from domain.dunning.notice import Notice

_HEAD = re.compile(r"(subject|heading):[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class NoticeText:
    """The words of a notice. A paragraph is its lines, or ``[INVOICES]`` or ``[PAYMENT]``."""

    language: str
    subject: str
    heading: str
    paragraphs: tuple[tuple[str, ...], ...]


def language_of(notice: Notice) -> str:
    """Return the language of a notice: German, or else English."""
    return "de" if notice.recipient.language == "de" else "en"


def formats_of(notice: Notice) -> Formats:
    """Return how the customer is used to read sums and dates."""
    return formats(language_of(notice), notice.recipient.address.country)


def notice_text(
    notice: Notice,
    company: Company,
    *,
    letter: bool,
    attached: bool = False,
    templates: Path | None = None,
) -> NoticeText:
    """Fill the notice's template, the user's own from the folder ``templates`` if there is one.

    BrokenTemplateError if it cannot be filled, or leaves out what a notice must say.
    """
    template = find(templates, language_of(notice), notice.template)
    return read_text(
        template, fill(template, values(notice, company, letter=letter, attached=attached))
    )


def values(
    notice: Notice, company: Company, *, letter: bool, attached: bool
) -> dict[str, str | bool | int]:
    """Return the names that a template may use; texts are one line, ready to print."""
    form = formats_of(notice)
    only = notice.lines[0].invoice_no if len(notice.lines) == 1 else ""
    agreed = min((each.due_date for each in notice.agreed), default=None)
    phone = "\N{NO-BREAK SPACE}".join(company.phone.split())
    texts = {
        "name": notice.recipient.salutation_name,
        "company": company.name,
        "customer_no": notice.recipient.customer_no,
        "reference": notice.reference,
        "invoice_no": only,
        "oldest_due_date": form.day(min(line.due_date for line in notice.lines)),
        "total": form.money(notice.total, notice.currency),
        "amount": form.money(notice.payable, notice.currency),
        "deadline": form.day(notice.deadline),
        "sent_on": form.day(notice.sent_on),
        "contact": " · ".join(part for part in (phone, company.email) if part),
        "phone": phone,
        "email": company.email,
        "agreed_date": form.day(agreed) if agreed else "",
    }
    return {name: one_line(text) for name, text in texts.items()} | {
        "level": notice.level,
        "count": len(notice.lines),
        "repeats": notice.repeats,
        "consumer": notice.recipient.is_consumer,
        "letter": letter,
        "attached": attached,
        "qr_code": has_code(notice, company) and (letter or attached),
        "registered": notice.registered_mail,
        "gdpr": company.address.country != "CH",
        "several": len(notice.agreed) > 1,
        "missed": notice.missed,
    }


def read_text(template: Template, text: str) -> NoticeText:
    """Take a filled template apart, and refuse one that leaves out what a notice must say."""
    head, _, body = text.strip("\n").partition("\n\n")
    found = dict[str, str]()
    for line in head.split("\n"):
        named = _HEAD.fullmatch(line.strip())
        if not named or named[1] in found:
            raise BrokenTemplateError(
                template.path,
                None,
                "must begin with the lines 'subject: ...' and 'heading: ...', then an empty line",
            )
        found[named[1]] = one_line(named[2])
    if not (found.get("subject") and found.get("heading")):
        raise BrokenTemplateError(template.path, None, "needs a subject and a heading with words")
    paragraphs = _paragraphs(body)
    for mark, name in ((INVOICES, "invoices"), (PAYMENT, "payment")):
        if text.count(mark) != 1 or (mark,) not in paragraphs:
            raise BrokenTemplateError(
                template.path,
                None,
                f"must hold {{{{ {name} }}}} once, between empty lines and alone on its line",
            )
    return NoticeText(template.language, found["subject"], found["heading"], paragraphs)


def _paragraphs(body: str) -> tuple[tuple[str, ...], ...]:
    """Split at empty lines; a line break of the template is one."""
    blocks = (
        tuple(line.strip() for line in block.split("\n") if line.strip())
        for block in re.split(r"\n[ \t]*\n", body)
    )
    return tuple(block for block in blocks if block)
