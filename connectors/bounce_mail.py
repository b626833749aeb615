"""Reads reports about our mails that come as mails: RFC 3464, and what servers send instead.

A report is a ``message/delivery-status`` part (Postfix, Exchange, Gmail, sendmail), else a mail of
the mail system whose text says that it failed and quotes our headers (qmail, Exim, old Exchange).
Read receipts, holiday replies and everything else are none.

Whatever comes is bounded: 256 KiB are looked at, and a mail of many parts is none of ours. The
parser of the standard library sees the report and our quoted mail as plain texts: taking them apart
would cost it seconds where somebody means ill.
"""

from __future__ import annotations

import email
import hashlib
import re
from collections.abc import Iterator
from email import policy
from email.message import Message

from connectors.bounces import (
    action_of_status,
    diagnostic,
    enhanced_status,
    message_id,
    worst,
)
from domain.bounce import Bounce, BounceAction

LOOKED_AT = 256 * 1024
MOST_PARTS = 24
MOST_RECIPIENTS = 100
_TEXT_LOOKED_AT = 64 * 1024

_STATUS_TYPES = {"text/x-delivery-status", "text/x-global-delivery-status"}
_ORIGINAL_TYPES = {
    "text/x-rfc822",
    "text/x-global",
    "text/x-rfc822-headers",
    "text/x-global-headers",
    "text/rfc822-headers",
}
_ACTIONS = {
    "failed": BounceAction.FAILED,
    "delayed": BounceAction.DELAYED,
    "delivered": BounceAction.DELIVERED,
    "relayed": BounceAction.DELIVERED,
    "expanded": BounceAction.DELIVERED,
}
# What opens a part, whether it is meant as one or not: the parser's work grows with their number.
_OPENS_PART = re.compile(rb"(?i)boundary[\s*\d]*=")
_MESSAGE_TYPE = re.compile(rb"(?i)(content-type\s*:\s*)message/")
_EMPTY_LINES = re.compile(rb"(?:\r?\n){4,}")
_QUOTED_ID = re.compile(
    r"(?im)^[> \t]*(?:x-)?(?:original-)?message-id:[ \t]*(?:\r?\n[ \t]+)?(<[^<>\s]+>)"
)
_BEGINS_QUOTE = re.compile(r"(?i)copy|original|message|kopie|nachricht")
_SCHEME = re.compile(r"(?i)^\s*(?:smtp|x-[\w-]+|x400|unix)\s*;\s*")
_SYSTEM = re.compile(r"(?i)\b(?:mailer-daemon|postmaster|mail delivery (?:sub)?system)\b")
_FAILURE = re.compile(
    r"(?i)undeliver|could ?n[o']t be delivered|not be delivered|delivery (?:has )?failed"
    r"|delivery failure|permanent(?:ly)? (?:fatal )?(?:error|fail)|returned to sender"
    r"|unzustellbar|nicht zugestellt|konnte nicht zu|user unknown|unknown user|no such user"
)
_DELAY = re.compile(r"(?i)delayed|not yet been delivered|will (?:be )?retr|verzögert")


def read_bounce(raw: bytes) -> Bounce | None:
    """Return what a mail reports about a mail of ours; None if it reports nothing.

    Whose mail it was is not looked up here: the Message-ID may be anybody's.
    """
    looked_at = _EMPTY_LINES.sub(b"\n\n", _MESSAGE_TYPE.sub(rb"\1text/x-", raw[:LOOKED_AT]))
    if len(_OPENS_PART.findall(looked_at)) > MOST_PARTS:
        return None
    try:
        mail = email.message_from_bytes(looked_at, policy=policy.compat32)
        parts = list(mail.walk())
        found = _by_status(mail, parts) or _by_text(mail, parts)
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError):
        return None  # the parser itself stumbled: no mail server writes that
    if found is None:
        return None
    of, actions, status, said = found
    return Bounce(
        event_id="dsn-" + hashlib.sha256(raw).hexdigest()[:40],
        message_id=of,
        action=worst(actions),
        status=status,
        diagnostic=diagnostic(said),
        recipients=len(actions),
    )


_Found = tuple[str, list[BounceAction], str, str]


def _by_status(mail: Message, parts: list[Message]) -> _Found | None:
    """Read a delivery status notification: one block per message, then one per recipient."""
    status_part = next((p for p in parts if p.get_content_type() in _STATUS_TYPES), None)
    if status_part is None:
        return None
    blocks = list(_blocks(status_part))
    told = [block for block in blocks if "action" in block or "status" in block]
    reports = [_recipient(block) for block in told[:MOST_RECIPIENTS]]
    known = [report for report in reports if report]
    of = _original_id(mail, parts, blocks)
    if not known or not of:
        return None
    actions = [action for action, _, _ in known]
    _, status, said = next(report for report in known if report[0] is worst(actions))
    return of, actions, status, said


def _recipient(block: dict[str, str]) -> tuple[BounceAction, str, str] | None:
    """Return action, status and words of a recipient; the status counts where no action stands."""
    said = _SCHEME.sub("", block.get("diagnostic-code", ""))
    status = enhanced_status(block.get("status", "")) or enhanced_status(said)
    words = block.get("action", "").strip().lower().split()
    action = _ACTIONS.get(words[0]) if words else None
    action = action or action_of_status(status)
    return (action, status, said) if action else None


def _by_text(mail: Message, parts: list[Message]) -> _Found | None:
    """Read a report in prose: from the mail system, about a failure, with our headers quoted."""
    failed_recipients = mail.get("X-Failed-Recipients")
    sender = f"{mail.get('From', '')} {mail.get('Sender', '')}"
    if not (failed_recipients or _SYSTEM.search(sender)):
        return None
    if "disposition-notification" in str(mail.get("Content-Type", "")).lower():
        return None  # a read receipt
    text = next((_text(part) for part in parts if part.get_content_maintype() == "text"), "")
    said = text[:_TEXT_LOOKED_AT]
    subject = str(mail.get("Subject", ""))
    delayed = _DELAY.search(subject) or (_DELAY.search(said) and not _FAILURE.search(said))
    if not (failed_recipients or delayed or _FAILURE.search(f"{subject}\n{said}")):
        return None
    of = _original_id(mail, parts, [], said)
    if not of:
        return None
    own = _above_the_quote(said)
    status = enhanced_status(own)
    action = BounceAction.DELAYED if delayed else BounceAction.FAILED
    if status and action_of_status(status) is BounceAction.DELAYED:
        action = BounceAction.DELAYED
    return of, [action], status, _sentence(own)


def _above_the_quote(text: str) -> str:
    """Cut off our own mail where it is quoted: its words are no server's."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        begin = line[:200].lstrip("> ").lower()
        rule = begin.startswith("--") and _BEGINS_QUOTE.search(begin)
        if rule or begin.startswith(("received:", "return-path:", "message-id:")):
            return "\n".join(lines[:number])
    return text


def _sentence(text: str) -> str:
    """Return the line that says why, else the beginning."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = (line for line in lines if enhanced_status(line) or re.search(r"(?i)unknown", line))
    return next(telling, " ".join(lines[:3]))


def _original_id(
    mail: Message, parts: list[Message], blocks: list[dict[str, str]], text: str = ""
) -> str:
    """Find the Message-ID of the mail that the report is about, the surest place first."""
    for part in parts[1:]:
        if part.get_content_type() in _ORIGINAL_TYPES:
            found = message_id(_header_of_original(part))
            if found:
                return found
    for block in blocks:
        for name in ("original-message-id", "x-original-message-id"):
            if found := message_id(block.get(name, "")):
                return found
    if quoted := _QUOTED_ID.search(text):
        return message_id(quoted[1])
    for name in ("X-Original-Message-ID", "In-Reply-To", "References"):
        if found := message_id(str(mail.get(name, ""))):
            return found
    return ""


def _header_of_original(part: Message) -> str:
    quoted = _QUOTED_ID.search(_text(part)[:_TEXT_LOOKED_AT])
    return quoted[1] if quoted else ""


def _blocks(part: Message) -> Iterator[dict[str, str]]:
    """Return the groups of fields of a status part, names in small letters, values unfolded."""
    for block in re.split(r"\r?\n[ \t]*\r?\n", _text(part)[:_TEXT_LOOKED_AT]):
        unfolded = re.sub(r"\r?\n[ \t]+", " ", block)
        pairs = re.findall(r"(?m)^([A-Za-z0-9-]+)[ \t]*:[ \t]*(.*?)\r?$", unfolded)
        if pairs:
            yield {name.lower(): value for name, value in reversed(pairs)}


def _text(part: Message) -> str:
    content = part.get_payload(decode=True)
    return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
