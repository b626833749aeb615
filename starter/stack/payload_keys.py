"""The payload keys of the embedded stack: a file among its secrets, made only if somebody asks."""

from __future__ import annotations

from domain.errors import NotFoundError, RefusedError
from models.payload_keys import PayloadKey, new_payload_key, parse_payload_keys
from models.settings import Settings
from starter.stack.datadir import DataDir
from starter.stack.environment import PAYLOAD_KEYS, settings_of


def known(settings: Settings) -> tuple[PayloadKey, ...]:
    """Return the keys of an installation, the one that encrypts first."""
    return parse_payload_keys(settings.payload_keys.get_secret_value())


def with_new(settings: Settings, name: str) -> str:
    """Return the setting with a new first key; a name that is taken is refused."""
    keys = [new_payload_key(name), *known(settings)]
    text = ",".join(map(str, keys))
    parse_payload_keys(text)
    return text


def add(data: DataDir, name: str) -> None:
    """Put a new first key into the data directory; it counts from the next start on."""
    data.keep_secret(PAYLOAD_KEYS, with_new(settings_of(data), name))


def remove(data: DataDir, name: str) -> None:
    """Take a key out of the data directory; the one that encrypts stays."""
    rest = [str(key) for key in removable(data, name) if key.id != name]
    data.keep_secret(PAYLOAD_KEYS, ",".join(rest))


def removable(data: DataDir, name: str) -> tuple[PayloadKey, ...]:
    """Return all keys of the data directory; refuse a name that is unknown or that encrypts."""
    keys = parse_payload_keys(data.secret(PAYLOAD_KEYS))
    if name not in {key.id for key in keys}:
        raise NotFoundError(f"There is no key {name!r} in {data.path}: see `payload-key list`.")
    if keys[0].id == name:
        raise RefusedError(f"{name} encrypts: make a newer key first (`zahltag payload-key add`).")
    return keys
