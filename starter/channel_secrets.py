"""What a channel can be a connection to, and its secret: made, and checked for its form."""

from __future__ import annotations

import base64
import secrets

from connectors.bounce_webhook import OWN
from connectors.bounce_webhook import SOURCES as MAIL_REPORTS
from connectors.shops import SHOPS
from domain.errors import Problem, RefusedError

PAYMENTS = "payments"
# Those who sign as Standard Webhooks says; the shops' own secrets are any text.
_STANDARD = frozenset({"zahltag", PAYMENTS, OWN})
_PREFIX = "whsec_"


def sources() -> tuple[str, ...]:
    """Return what a channel can be a connection to."""
    return (*SHOPS, PAYMENTS, *MAIL_REPORTS)


def first_sources() -> tuple[str, ...]:
    """Return those of a fresh installation: of the mail services only the one without a vendor."""
    return (*SHOPS, PAYMENTS, OWN)


def new_secret(source: str) -> str:
    """Make a secret of 32 random bytes in the form that the source wants."""
    if source in _STANDARD:
        return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(32)


def check_secret(source: str, secret: str) -> None:
    """Refuse a secret that could never verify a signature."""
    expected = ""
    if source in _STANDARD:
        if not _is_standard(secret):
            expected = "whsec_ and at least 16 bytes in base64"
    elif len(secret) < 8 or not secret.isprintable():
        expected = "at least 8 ordinary characters"
    if expected:
        raise RefusedError(
            f"This cannot be the secret of a {source} channel: expected {expected}.",
            (Problem("secret", expected),),
        )


def check_token(source: str, token: str) -> None:
    """Refuse an API token where none is used, and one that no header could carry."""
    if source != "crm":
        raise RefusedError(f"A channel of the source {source} uses no API token; leave it out.")
    if not (
        8 <= len(token) <= 500 and token.isascii() and token.isprintable() and " " not in token
    ):
        expected = "8 to 500 letters, digits and marks without blanks"
        raise RefusedError(
            f"This cannot be an API token: expected {expected}.",
            (Problem("api_token", expected),),
        )


def _is_standard(secret: str) -> bool:
    try:
        return secret.startswith(_PREFIX) and (
            len(base64.b64decode(secret.removeprefix(_PREFIX), validate=True)) >= 16
        )
    except ValueError:
        return False
