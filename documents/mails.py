"""Mails to customers: one text per kind and language, as plain text and as HTML.

A template is text: its first line the subject, then paragraphs. The table of details stands where
the template says ``{{ details }}``. Plain text and HTML are both made from it, so they never say
different things. Templates run in a sandbox (later, users edit them), a name that does not exist is
an error, and every value is one line without control characters before a template sees it.
"""

from __future__ import annotations

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
from documents.mail_layout import Details, Paragraph, lay_out
from documents.mail_message import Attachment, MailContent, build_message
from documents.one_line import one_line

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


def render_mail(context: MailContext) -> MailContent:
    """Fill the template of the context's kind in its reader's language, ``de`` or else ``en``."""
    language = "de" if context.reader.language == "de" else "en"
    form = formats(language, context.reader.country)
    values = {name: one_line(value) for name, value in context.values(form).items()}
    values |= {"name": one_line(context.reader.name), "company": one_line(context.company.name)}
    template = _environment().get_template(f"{language}/{context.template}.txt")
    subject, _, body = template.render(values, details=_DETAILS).partition("\n")
    paragraphs = _paragraphs(body)
    details = tuple(
        (label, one_line(value))
        for label, value in context.details(labels(language), form)
        if value.strip()
    )
    blocks = [
        Details(details) if block == [_DETAILS] else Paragraph(tuple(block)) for block in paragraphs
    ]
    return lay_out(context.KIND, language, subject, blocks, context.company)


def _paragraphs(body: str) -> list[list[str]]:
    """Split at empty lines into paragraphs of lines; a line break of the template is one."""
    blocks = ([line for line in block.split("\n") if line] for block in body.split("\n\n"))
    return [block for block in blocks if block]


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # plain text; the layout makes HTML of it, escaped
        trim_blocks=True,
        lstrip_blocks=True,
    )
