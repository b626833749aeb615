"""What crosses Temporal, as bytes: JSON by pydantic, and encrypted where a key is set.

Every process and test makes its converter here, so that all of them read each other. Encrypted are
inputs, results, signals, updates, queries, summaries, details and the texts of failures; workflow
ids, search attributes and the names of types never are.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    PayloadCodec,
)

from models.payload_keys import PayloadKey, parse_payload_keys
from models.settings import Settings

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
_NONCE = 12


class UnreadablePayloadError(RuntimeError):
    """A payload cannot be decrypted here: its key is missing, or it was changed on its way.

    No refusal: with the right key the same attempt succeeds, so Temporal repeats it.
    """


class EncryptionCodec(PayloadCodec):
    """AES-256-GCM over the whole payload, its metadata too; the key's name stands beside it.

    What is not encrypted passes through on its way in: cases that were started before the first
    key was set go on.
    """

    def __init__(self, keys: Sequence[PayloadKey]) -> None:
        self._ciphers = {key.id: AESGCM(key.secret) for key in keys}
        self._newest = keys[0].id

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt with the newest key."""
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt with the key that each payload names, or UnreadablePayloadError."""
        return [self._open(payload) for payload in payloads]

    def _seal(self, payload: Payload) -> Payload:
        nonce, name = os.urandom(_NONCE), self._newest.encode()
        sealed = self._ciphers[self._newest].encrypt(nonce, payload.SerializeToString(), name)
        return Payload(metadata={"encoding": ENCODING, KEY_ID: name}, data=nonce + sealed)

    def _open(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        name = key_of(payload)
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise _missing(name)
        nonce, sealed = payload.data[:_NONCE], payload.data[_NONCE:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, name.encode()))
        except (InvalidTag, ValueError, DecodeError) as error:
            raise UnreadablePayloadError(
                f"A payload cannot be opened with the key {name}: it was changed, or the key of"
                " that name in ZAHLTAG_PAYLOAD_KEYS is not the one that sealed it."
            ) from error


class ClearCodec(PayloadCodec):
    """No key is set: payloads go out as they are; encrypted ones are named, not misread."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Change nothing."""
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Change nothing, or UnreadablePayloadError."""
        for payload in payloads:
            if payload.metadata.get("encoding") == ENCODING:
                raise _missing(key_of(payload))
        return list(payloads)


def codec(settings: Settings) -> PayloadCodec:
    """Return the codec of an installation: encrypting where a key is set."""
    keys = parse_payload_keys(settings.payload_keys.get_secret_value())
    return EncryptionCodec(keys) if keys else ClearCodec()


def data_converter(settings: Settings) -> DataConverter:
    """Return what every client, worker and replayer of this installation has to use."""
    chosen = codec(settings)
    if isinstance(chosen, ClearCodec):
        return replace(pydantic_data_converter, payload_codec=chosen)
    return replace(
        pydantic_data_converter,
        payload_codec=chosen,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def key_of(payload: Payload) -> str:
    """Return the name of the key that a payload needs; empty if it is in clear."""
    if payload.metadata.get("encoding") != ENCODING:
        return ""
    return payload.metadata.get(KEY_ID, b"").decode(errors="replace") or "without a name"


def _missing(name: str) -> UnreadablePayloadError:
    return UnreadablePayloadError(
        f"A payload is encrypted with the key {name[:60]}, which ZAHLTAG_PAYLOAD_KEYS does not"
        " have: put it back into the setting of every process; nothing is lost meanwhile."
    )
