"""Signatures of webhooks (R55): always over the raw body, always compared in constant time.

Shopify and WooCommerce send HMAC-SHA256 in base64, Shopware in hex; ours and the generic payment
webhook follow https://www.standardwebhooks.com (HMAC over id, time and body).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from connectors.headers import header
from domain.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOLERANCE = timedelta(minutes=5)


class SignatureError(RefusedError):
    """The sender could not show that it knows the channel's secret."""


def verify_hmac_base64(headers: Mapping[str, str], name: str, body: bytes, secret: str) -> None:
    """Check a base64 HMAC-SHA256 in the header ``name`` (Shopify, WooCommerce)."""
    given = _required(headers, name)
    _compare(given, base64.b64encode(_hmac(body, secret)).decode(), name)


def verify_hmac_hex(headers: Mapping[str, str], name: str, body: bytes, secret: str) -> None:
    """Check a hexadecimal HMAC-SHA256 in the header ``name`` (Shopware)."""
    given = _required(headers, name)
    _compare(given.lower(), _hmac(body, secret).hex(), name)


def verify_standard(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """Check ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` (Standard Webhooks).

    A timestamp more than five minutes away from ``now`` is refused: an intercepted message cannot
    be played again later. Several signatures (while a secret is changed) may stand in the header.
    """
    message_id = _required(headers, "webhook-id")
    sent_at = _moment(_required(headers, "webhook-timestamp"))
    given = _required(headers, "webhook-signature")
    if abs(now - sent_at) > TOLERANCE:
        raise SignatureError(
            "The webhook-timestamp is more than five minutes off: check the sender's clock."
        )
    expected = _standard_signature(message_id, sent_at, body, secret)
    matches = [hmac.compare_digest(_ascii(one), expected.encode()) for one in given.split()]
    if not any(matches):
        raise SignatureError(_WRONG.format(name="webhook-signature"))


_WRONG = "The signature in {name} does not fit the body: check the secret of this channel."


def _standard_signature(message_id: str, sent_at: datetime, body: bytes, secret: str) -> str:
    if not secret.startswith("whsec_"):
        raise SignatureError("The secret of this channel must begin with whsec_ (base64 follows).")
    try:
        return _signer(secret).sign(message_id, sent_at, body.decode())
    except UnicodeDecodeError as error:
        raise SignatureError("The body is not UTF-8: its signature cannot be checked.") from error
    except (ValueError, EmptyWebhookSecretError) as error:
        raise SignatureError("The secret of this channel is not base64 after whsec_.") from error


@lru_cache(maxsize=64)
def _signer(secret: str) -> Webhook:
    return Webhook(secret)


def _hmac(body: bytes, secret: str) -> bytes:
    if not secret:
        raise SignatureError("This channel has no secret yet: set one before it may receive.")
    return hmac.digest(secret.encode(), body, hashlib.sha256)


def _compare(given: str, expected: str, name: str) -> None:
    if not hmac.compare_digest(_ascii(given), expected.encode()):
        raise SignatureError(_WRONG.format(name=name))


def _ascii(text: str) -> bytes:
    """Encode for a comparison that must not fail on odd characters."""
    return text.encode("utf-8", "replace")


def _required(headers: Mapping[str, str], name: str) -> str:
    value = header(headers, name)
    if not value:
        raise SignatureError(f"The header {name} is missing: unsigned messages are refused.")
    return value


def _moment(text: str) -> datetime:
    if not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise SignatureError("The webhook-timestamp is not a number of seconds since 1970.")
    return datetime.fromtimestamp(int(text), UTC)
