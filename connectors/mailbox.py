"""Reads the embedded mailbox: one folder, one ``.eml`` file per accepted mail.

A file is named ``<microseconds of receipt>-<hash of the Message-ID>.eml``: names sort by receipt,
are never used twice, and the hash answers "was this Message-ID accepted?" without opening every
file. A file appears under its name only when all of it is on disk. Nothing here writes.
"""

from __future__ import annotations

import email
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.headerregistry import DateHeader
from email.message import EmailMessage
from typing import TYPE_CHECKING

from domain.errors import NotFoundError

if TYPE_CHECKING:
    from pathlib import Path

KIND_HEADER = "X-Zahltag-Kind"
CASE_HEADER = "X-Zahltag-Case"
ENVELOPE_HEADER = "X-Envelope-To"
SUFFIX = ".eml"

_ID = re.compile(r"\d{16}-[0-9a-f]{16}")
# Attached PDFs are most of a mail and nothing of its summary: left out, a list is ten times faster.
_ENCODED_LINE = re.compile(rb"(?m)^[A-Za-z0-9+/]{60,76}\r?\n")


@dataclass(frozen=True, slots=True)
class MailSummary:
    """What a list of mails shows. ``to`` is the envelope's recipient: where it really went."""

    id: str
    to: str
    subject: str
    date: datetime
    kind: str
    case_id: str
    message_id: str
    attachments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attachment:
    """One attached file, byte for byte."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Mail:
    """One whole mail; ``html`` is empty where there is none."""

    summary: MailSummary
    text: str
    html: str
    attachments: tuple[Attachment, ...]


def mail_id(microseconds: int, message_id: str) -> str:
    """Name a mail: when it was received (microseconds since 1970) and which Message-ID it has."""
    return f"{microseconds:016d}-{_hash(message_id)}"


def received_us(mail: str) -> int:
    """When the mail of this id was received, in microseconds since 1970."""
    return int(mail[:16])


def list_mails(directory: Path) -> list[MailSummary]:
    """Every accepted mail, oldest first; none while the mailbox has never run."""
    return [_summary(path.stem, path.read_bytes()) for path in sorted(directory.glob(f"*{SUFFIX}"))]


def read_mail(directory: Path, mail: str) -> Mail:
    """Show one mail; an id that is not in the mailbox is refused, whatever it looks like."""
    path = directory / f"{mail}{SUFFIX}"
    if not _ID.fullmatch(mail) or not path.is_file():
        raise NotFoundError("There is no such mail; `zahltag mail list` shows the ids.")
    content = path.read_bytes()
    message = _parse(content)
    return Mail(
        summary=_summary(mail, content),
        text=_body(message, "plain"),
        html=_body(message, "html"),
        attachments=tuple(_attachment(part) for part in message.iter_attachments()),
    )


def was_accepted(directory: Path, message_id: str) -> bool:
    """Whether a mail with exactly this Message-ID is in the mailbox."""
    wanted = " ".join(message_id.split())
    return any(
        message_id_of(path.read_bytes()) == wanted
        for path in directory.glob(f"*-{_hash(wanted)}{SUFFIX}")
    )


def message_id_of(content: bytes) -> str:
    """Read the Message-ID of a raw mail; empty if it has none.

    The header is taken as text, unfolded by hand: the structured parser would "mend" ids that it
    finds odd, and a mended id is another id.
    """
    head = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0]
    found = re.search(rb"(?im)^message-id:[ \t]*((?:.*)(?:\r?\n[ \t].*)*)", head)
    return " ".join(found[1].decode("utf-8", "replace").split()) if found else ""


def _hash(message_id: str) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()[:16]


def _parse(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, EmailMessage, policy=policy.default)


def _summary(mail: str, content: bytes) -> MailSummary:
    message = _parse(_ENCODED_LINE.sub(b"", content))
    received = datetime.fromtimestamp(received_us(mail) / 1_000_000, UTC)
    date = message["Date"]
    named = date.datetime if isinstance(date, DateHeader) else None
    return MailSummary(
        id=mail,
        to=str(message.get(ENVELOPE_HEADER, message.get("To", ""))),
        subject=str(message.get("Subject", "")),
        date=(named if named and named.tzinfo else received).astimezone(UTC),
        kind=str(message.get(KIND_HEADER, "other")),
        case_id=str(message.get(CASE_HEADER, "")),
        message_id=message_id_of(content),
        attachments=tuple(part.get_filename("") for part in message.iter_attachments()),
    )


def _body(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""


def _attachment(part: EmailMessage) -> Attachment:
    content = part.get_payload(decode=True)
    return Attachment(
        filename=part.get_filename(""),
        content_type=part.get_content_type(),
        content=content if isinstance(content, bytes) else b"",
    )
