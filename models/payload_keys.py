"""The keys that encrypt what Temporal keeps: read from one setting, newest first.

``ZAHLTAG_PAYLOAD_KEYS=k2:BASE64,k1:BASE64``: the first one encrypts, all of them decrypt. A key
stays as long as a history needs it.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass, field

from domain.errors import RefusedError

SIZE = 32
_ID = re.compile(r"[A-Za-z0-9._-]{1,40}")


@dataclass(frozen=True, slots=True)
class PayloadKey:
    """One key of AES-256 and the name under which payloads refer to it; the name is no secret."""

    id: str
    secret: bytes = field(repr=False)

    def __str__(self) -> str:
        """Write it as it stands in the setting."""
        return f"{self.id}:{base64.b64encode(self.secret).decode()}"


def parse_payload_keys(text: str) -> tuple[PayloadKey, ...]:
    """Read the setting; RefusedError says what is wrong with which key, and never shows one."""
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    keys = tuple(_parse(place, entry) for place, entry in enumerate(entries, start=1))
    names = [key.id for key in keys]
    if twice := next((name for name in names if names.count(name) > 1), ""):
        raise RefusedError(
            f"ZAHLTAG_PAYLOAD_KEYS has two keys of the name {twice}: every key needs its own name,"
            " as payloads name the key that opens them."
        )
    return keys


def new_payload_key(name: str) -> PayloadKey:
    """Make a random key; RefusedError if the name cannot be one."""
    if not _ID.fullmatch(name):
        raise RefusedError(
            "The name of a key has 1 to 40 letters, digits, dots, dashes or underscores:"
            " name it 2026-11, say."
        )
    return PayloadKey(name, secrets.token_bytes(SIZE))


def _parse(place: int, entry: str) -> PayloadKey:
    name, colon, secret = entry.partition(":")
    if not colon or not _ID.fullmatch(name):
        raise RefusedError(
            f"Entry {place} of ZAHLTAG_PAYLOAD_KEYS is not NAME:KEY: a name of letters, digits,"
            " dots, dashes or underscores, a colon, and a key in base64."
        )
    try:
        # Both alphabets of base64 are taken; what is neither is refused.
        raw = base64.b64decode(secret.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != SIZE:
        raise RefusedError(
            f"The key {name} of ZAHLTAG_PAYLOAD_KEYS is not {SIZE} bytes in base64:"
            " make one with `zahltag payload-key add`."
        )
    return PayloadKey(name, raw)
