"""A mail as the bytes that leave: the same content always makes the same message.

A resend after a crash is then the same mail with the same Message-ID, boundaries included.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime


@dataclass(frozen=True, slots=True)
class MailContent:
    """A rendered mail without its envelope; ``subject`` is one line."""

    kind: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a mail: ``RE-2026-00001.pdf``, ``application/pdf``."""

    filename: str
    content: bytes
    media_type: str = "application/pdf"


def build_message(
    content: MailContent,
    *,
    sender: str,
    sender_name: str = "",
    to: str,
    message_id: str,
    case_id: str,
    date: datetime,
    attachments: Sequence[Attachment] = (),
) -> EmailMessage:
    """Make the message. ``sender`` and ``to`` are bare addresses, ``message_id`` has its <>.

    Every header is one line of printable characters; ValueError for an address that is none or a
    ``date`` without an offset.
    """
    if date.tzinfo is None:
        raise ValueError("the date of a mail needs a UTC offset")
    ascii_only = (sender + to).isascii()
    message = EmailMessage(policy=policy.SMTP if ascii_only else policy.SMTPUTF8)
    message["From"] = _address(sender, sender_name)
    message["To"] = _address(to)
    message["Subject"] = _header(content.subject)
    message["Date"] = format_datetime(date)
    message["Message-ID"] = _header(message_id)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Zahltag-Kind"] = _header(content.kind)
    message["X-Zahltag-Case"] = _header(case_id)
    # Postmark names mails by ids of its own; what it reports about them brings this one back.
    message["X-PM-Metadata-message-id"] = _header(message_id).strip("<>")
    message.set_content(content.text, cte="quoted-printable")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    for attachment in attachments:
        main, _, sub = attachment.media_type.partition("/")
        message.add_attachment(
            attachment.content, maintype=main, subtype=sub, filename=_filename(attachment.filename)
        )
    _set_boundaries(message, message_id)
    return message


def _set_boundaries(message: EmailMessage, message_id: str) -> None:
    """Derive the boundaries from the Message-ID: the library would draw them at random."""
    for number, part in enumerate(message.walk()):
        if part.is_multipart():
            digest = hashlib.sha256(f"{message_id}:{number}".encode()).hexdigest()
            part.set_boundary(f"=_{digest[:32]}")


def _address(spec: str, name: str = "") -> Address:
    """Read an address; its domain in ASCII (IDNA), as every mail server understands it."""
    local, at, domain = _header(spec).rpartition("@")
    if not (local and at and domain) or " " in spec:
        raise ValueError(f"{spec!r} is no e-mail address")
    plain = domain if domain.isascii() else domain.encode("idna").decode()
    return Address(display_name=_header(name), username=local, domain=plain)


def _header(text: str) -> str:
    """Return one line: a line break would begin a header of the sender's choice."""
    kept = (" " if unicodedata.category(each)[0] == "C" else each for each in text)
    return " ".join("".join(kept).split())


def _filename(name: str) -> str:
    """Return a file name without a path and without what a file system forbids."""
    return "".join("-" if each in '/\\:*?"<>|' else each for each in _header(name)) or "document"
