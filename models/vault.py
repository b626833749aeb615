"""Secrets at rest: the webhook secrets lie in the database encrypted (Fernet, R55)."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken

from domain.errors import RefusedError
from models.settings import Settings


class Vault:
    """Seals and opens secrets with the installation's key, which the database never sees."""

    def __init__(self, settings: Settings) -> None:
        key = settings.secret_key.get_secret_value()
        if not key:
            raise RefusedError(
                "ZAHLTAG_SECRET_KEY is not set: without it no webhook secret can be kept."
            )
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise RefusedError(
                "ZAHLTAG_SECRET_KEY is not a Fernet key; expected 32 bytes in url-safe base64."
            ) from error

    def seal(self, secret: str) -> str:
        """Encrypt a secret for the database."""
        return self._fernet.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Decrypt a secret from the database; RefusedError if it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise RefusedError(
                "The channel's secret was encrypted with another ZAHLTAG_SECRET_KEY:"
                " bring that key back, or set the secret again."
            ) from error
