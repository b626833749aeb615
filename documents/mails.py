"""Mails to customers: one text per kind and language, as plain text and as HTML.

A template is text: its first line the subject, then paragraphs. The table of details stands where
the template says ``{{ details }}``. Plain text and HTML are both made from it, so they never say
different things. Templates run in a sandbox (later, users edit them), a name that does not exist is
an error, and every value is one line without control characters before a template sees it.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from functools import lru_cache
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from documents.formatting import formats
from documents.labels import labels
from documents.mail_base import MailContext, Reader
from documents.mail_contexts import (
    CancellationMail,
    DueDateChangedMail,
    InvoiceMail,
    PaymentConfirmationMail,
    PaymentRescueMail,
)
from documents.mail_message import Attachment, MailContent, build_message
from domain.company import Company

__all__ = [
    "Attachment",
    "CancellationMail",
    "DueDateChangedMail",
    "InvoiceMail",
    "MailContent",
    "MailContext",
    "PaymentConfirmationMail",
    "PaymentRescueMail",
    "Reader",
    "build_message",
    "render_mail",
]

_TEMPLATES = Path(__file__).with_name("templates") / "mail"
# No value can contain it: they are cleaned of control characters.
_DETAILS = "\x01"
_WIDTH = 76
_VALUE_LENGTH = 300


def render_mail(context: MailContext) -> MailContent:
    """Fill the template of the context's kind in its reader's language, ``de`` or else ``en``."""
    language = "de" if context.reader.language == "de" else "en"
    form = formats(language, context.reader.country)
    values = {name: one_line(value) for name, value in context.values(form).items()}
    values |= {"name": one_line(context.reader.name), "company": one_line(context.company.name)}
    template = _environment().get_template(f"{language}/{context.template}.txt")
    subject, _, body = template.render(values, details=_DETAILS).partition("\n")
    paragraphs = _paragraphs(body)
    details = [
        (label, one_line(value))
        for label, value in context.details(labels(language), form)
        if value.strip()
    ]
    signature = _signature(context.company, language)
    return MailContent(
        kind=context.KIND,
        subject=one_line(subject),
        text=_text(paragraphs, details, signature),
        html=_html(language, one_line(subject), paragraphs, details, signature),
    )


def one_line(text: str) -> str:
    """Return the text without line breaks and control characters: safe in a header and a line."""
    kept = (
        " " if unicodedata.category(each) in {"Cc", "Zl", "Zp"} else each
        for each in text[:_VALUE_LENGTH]
        if unicodedata.category(each) not in {"Cf", "Cs", "Co", "Cn"}
    )
    return re.sub(" +", " ", "".join(kept)).strip()


def _paragraphs(body: str) -> list[list[str]]:
    """Split at empty lines into paragraphs of lines; a line break of the template is one."""
    blocks = ([line for line in block.split("\n") if line] for block in body.split("\n\n"))
    return [block for block in blocks if block]


def _text(paragraphs: list[list[str]], details: list[tuple[str, str]], signature: list[str]) -> str:
    width = max((len(label) for label, _ in details), default=0) + 2
    table = "\n".join(f"  {label + ':':<{width}}{value}" for label, value in details)
    blocks = [
        table if block == [_DETAILS] else "\n".join(map(_wrap, block)) for block in paragraphs
    ]
    return "\n\n".join([*blocks, "-- \n" + "\n".join(signature)]) + "\n"


def _wrap(line: str) -> str:
    return textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _html(
    language: str,
    subject: str,
    paragraphs: list[list[str]],
    details: list[tuple[str, str]],
    signature: list[str],
) -> str:
    return (
        _environment()
        .get_template("layout.html")
        .render(
            language=language,
            subject=subject,
            blocks=[(block == [_DETAILS], block) for block in paragraphs],
            details=details,
            signature=signature,
        )
    )


def _signature(company: Company, language: str) -> list[str]:
    """Say who writes: a business mail bears what a business letter bears (par. 35a GmbHG)."""
    words, address = labels(language), company.address
    directors = company.managing_directors
    lines = [
        company.name,
        f"{address.street}, {address.postcode} {address.city}".strip(", "),
        " · ".join(part for part in (company.phone, company.email, company.website) if part),
        company.register_entry,
        f"{words.managing_directors}: {directors}" if directors else "",
        f"{words.vat_id} {company.vat_id}" if company.vat_id else "",
    ]
    return [one_line(line) for line in lines if line]


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html"),
        trim_blocks=True,
        lstrip_blocks=True,
    )
