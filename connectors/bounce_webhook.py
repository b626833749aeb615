"""What mail services post about our mails: Mailgun, Postmark, and a form of our own.

Which service it is says the channel, never the body: each proves itself in another way.

- ``mail``: our own form, signed as Standard Webhooks says:
  ``{event_id, message_id, event: bounced|delayed|delivered|complained, status, reason}``.
- ``mailgun``: HMAC-SHA256 over timestamp and token, in the body; the secret is the "HTTP webhook
  signing key". https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads
- ``postmark``: signs nothing; the secret is the password of the basic authentication in the
  webhook's address. Mails are named by ids of its own; ours comes back in the metadata
  ``message-id``. https://postmarkapp.com/developer/webhooks/bounce-webhook
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING

from connectors.bounce_mail import read_bounce
from connectors.bounces import diagnostic, enhanced_status, message_id
from connectors.conversions import one_of, text
from connectors.headers import header
from connectors.mapping import Field, Row, read_document
from connectors.signatures import TOLERANCE, SignatureError, verify_standard
from domain.bounce import Bounce, BounceAction
from domain.errors import Problem, RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

OWN = "mail"
MAILGUN = "mailgun"
POSTMARK = "postmark"
SOURCES = (OWN, MAILGUN, POSTMARK)

_EVENTS = {
    "bounced": BounceAction.FAILED,
    "delayed": BounceAction.DELAYED,
    "delivered": BounceAction.DELIVERED,
    "complained": BounceAction.COMPLAINED,
}
MAPPING: tuple[Row, ...] = (
    Field("event_id", "event_id", text(200), required=True, says="the same in every retry"),
    Field("message_id", "message_id", text(500), required=True, says="of our mail"),
    Field("event", "event", one_of(_EVENTS), required=True),
    Field("status", "status", text(100), says="such as 5.1.1"),
    Field("reason", "reason", text(2000), says="the server's words"),
)
# Postmark's types of bounces that are no word about delivery, and those after which it tries again.
_POSTMARK_NO_WORD = {
    "AutoResponder",
    "AddressChange",
    "Subscribe",
    "Unsubscribe",
    "OpenRelayTest",
    "ChallengeVerification",
    "InboundError",
}
# In seconds: a report comes again for hours, with the signature that it had first.
_MAILGUN_REPEATS = 24 * 3600
_POSTMARK_DELAYED = {"Transient", "DnsError", "SoftBounce", "SMTPApiError"}


def verify_report(
    source: str,
    headers: Mapping[str, str],
    body: bytes,
    document: Mapping[str, object],
    secret: str,
    now: datetime,
) -> None:
    """Check that the sender knows the channel's secret, in its service's way; SignatureError."""
    if source == MAILGUN:
        _verify_mailgun(document, secret, now)
    elif source == POSTMARK:
        _verify_basic(headers, secret)
    else:
        verify_standard(headers, body, secret, now)


def read_report(source: str, document: Mapping[str, object]) -> Bounce | None:
    """Return what a service says; None for what concerns nobody here (opened, clicked, ...).

    RefusedError if the document is not of the service's form.
    """
    readers = {MAILGUN: _mailgun, POSTMARK: _postmark}
    return readers.get(source, _own)(document)


def lasting(source: str, document: Mapping[str, object]) -> bytes:
    """Return what a retry repeats to the byte: Mailgun may sign each one anew."""
    kept = document.get("event-data") if source == MAILGUN else document
    return json.dumps(kept, sort_keys=True, ensure_ascii=True).encode()


def _own(document: Mapping[str, object]) -> Bounce:
    record = read_document(document, MAPPING, "mail event", strict=True)
    return _bounce(
        record.text("event_id"),
        record.text("message_id"),
        record.value("event", BounceAction),
        record.text("status"),
        record.text("reason"),
    )


def _mailgun(document: Mapping[str, object]) -> Bounce | None:
    data = _part(document, "event-data")
    event = _word(data, "event", "event-data")
    temporary = _word(data, "severity") == "temporary"
    action = {
        "failed": BounceAction.DELAYED if temporary else BounceAction.FAILED,
        "rejected": BounceAction.FAILED,
        "delivered": BounceAction.DELIVERED,
        "complained": BounceAction.COMPLAINED,
    }.get(event)
    if action is None:
        return None
    status = _part(data, "delivery-status", needed=False)
    rejected = _part(data, "reject", needed=False)
    code = _word(status, "enhanced-code") or _word(status, "code")
    reason = next(
        filter(None, (_word(status, "message"), _word(status, "description"),
                      _word(rejected, "reason"), _word(data, "reason"))), ""
    )  # fmt: skip
    headers = _part(_part(data, "message", needed=False), "headers", needed=False)
    return _bounce(
        _word(data, "id", "event-data"), _word(headers, "message-id"), action, code, reason
    )


def _postmark(document: Mapping[str, object]) -> Bounce | None:
    kind, bounce = _word(document, "RecordType", ""), _word(document, "Type")
    action = {
        "Bounce": BounceAction.DELAYED if bounce in _POSTMARK_DELAYED else BounceAction.FAILED,
        "Delivery": BounceAction.DELIVERED,
        "SpamComplaint": BounceAction.COMPLAINED,
    }.get(kind)
    if action is None or bounce in _POSTMARK_NO_WORD:
        return None
    metadata = _part(document, "Metadata", needed=False)
    dump = read_bounce(_word(document, "Content").encode("utf-8", "replace"))
    ours = _word(metadata, "message-id") or (dump.message_id if dump else "")
    reason = _word(document, "Details") or _word(document, "Description")
    # Deliveries have no ID of their own; one mail to one recipient is delivered once.
    number = _word(document, "ID") or _word(document, "MessageID", "")
    if not ours:
        return None  # sent by another program over the same account
    return _bounce(f"{kind}-{number}", ours, action, "", reason)


def _bounce(event_id: str, of: str, action: BounceAction, status: str, reason: str) -> Bounce:
    ours = message_id(of) or message_id(f"<{of.strip()}>")
    if not ours:
        raise RefusedError(
            "The report names no Message-ID of a mail.",
            (Problem("message_id", "a Message-ID such as <id@example.com>"),),
        )
    code = enhanced_status(status) or enhanced_status(reason)
    if not 0 < len(event_id) <= 200 or not event_id.isprintable():
        raise RefusedError(
            "The report has no usable id of its own.", (Problem("event_id", "1 to 200 characters"),)
        )
    return Bounce(event_id, ours, action, code, diagnostic(reason))


def _part(
    document: Mapping[str, object], name: str, *, needed: bool = True
) -> Mapping[str, object]:
    found = document.get(name)
    if isinstance(found, dict):
        return found
    if needed:
        raise RefusedError(
            f"The report is not of the service's form: {name} is missing.",
            (Problem(name, "an object"),),
        )
    return {}


def _word(document: Mapping[str, object], name: str, needed_in: str | None = None) -> str:
    """Return a text or whole number as text; what is needed and missing is refused."""
    found = document.get(name)
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if isinstance(found, str) and (found or needed_in is None):
        return found
    if needed_in is not None:
        place = f"{needed_in}.{name}" if needed_in else name
        raise RefusedError(
            f"The report is not of the service's form: {place} is missing.",
            (Problem(place, "a text"),),
        )
    return ""


def _verify_mailgun(document: Mapping[str, object], secret: str, now: datetime) -> None:
    signature = _part(document, "signature")
    stamp, token = (
        _word(signature, "timestamp", "signature"),
        _word(signature, "token", "signature"),
    )
    given = _word(signature, "signature", "signature")
    if not secret:
        raise SignatureError("This channel has no secret yet: set one before it may receive.")
    expected = hmac.new(
        secret.encode(), f"{stamp}{token}".encode("utf-8", "replace"), hashlib.sha256
    ).hexdigest()
    if not hmac.compare_digest(given.lower().encode("utf-8", "replace"), expected.encode()):
        raise SignatureError(
            "The signature in the body is wrong: the secret of this channel must be Mailgun's"
            " HTTP webhook signing key."
        )
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 11):
        raise SignatureError("The timestamp of the signature is no number of seconds since 1970.")
    age = now.timestamp() - int(stamp)
    if not -TOLERANCE.total_seconds() <= age <= _MAILGUN_REPEATS:
        raise SignatureError("The signature is too old, or the sender's clock is wrong.")


def _verify_basic(headers: Mapping[str, str], secret: str) -> None:
    scheme, _, given = header(headers, "authorization").partition(" ")
    if not secret:
        raise SignatureError("This channel has no secret yet: set one before it may receive.")
    try:
        password = base64.b64decode(given, validate=True).partition(b":")[2]
    except ValueError:
        password = b""
    right = hmac.compare_digest(password, secret.encode())
    if scheme.lower() != "basic" or not right:
        raise SignatureError(
            "The password is wrong: put https://zahltag:SECRET@... with the secret of this channel"
            " into the webhook's address at Postmark."
        )
