"""What lies in a backup: one JSON file that names every other file, its rows and its hash.

Whatever a manifest says is checked before it is believed: names become paths and SQL.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from domain.errors import RefusedError

NAME = "manifest.json"
KIND = "zahltag backup"
FORMAT = 1
KEY_FILE = "secret_key"
_BLOCK = 1024 * 1024
_PLAIN = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class TableFile:
    """One table: its columns in the order of the file, how many rows, and the file's hash."""

    name: str
    columns: tuple[str, ...]
    rows: int
    bytes: int
    sha256: str

    @property
    def file(self) -> str:
        """Where it lies in the backup: CSV with a heading, compressed with gzip."""
        return f"tables/{self.name}.csv.gz"


@dataclass(frozen=True, slots=True)
class Story:
    """What tells one world from another: since when it has a history, how often it was restored.

    ``last_invoice`` is the number given last, empty if none was; ``notices`` how many notices were
    handed over to the mail server or the printer.
    """

    began: datetime | None
    restores: int
    last_invoice: str
    notices: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole backup. ``taken_at`` is the moment whose facts it holds.

    ``sequences`` are the last numbers drawn. ``secret_key`` is the hash of the key file, if there
    is one; ``key_id`` tells which key sealed the webhook secrets without giving it away.
    """

    taken_at: datetime
    product: str
    schema: str
    story: Story
    tables: tuple[TableFile, ...]
    sequences: dict[str, int]
    key_id: str = ""
    secret_key: str = ""
    format: int = FORMAT
    kind: str = KIND

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(table.rows for table in self.tables)

    def rows_of(self, table: str) -> int:
        """How many rows a table has; none if the backup does not know it."""
        return next((each.rows for each in self.tables if each.name == table), 0)


_MANIFEST = TypeAdapter(Manifest)


def write(manifest: Manifest) -> bytes:
    """Return the manifest as it is stored, with a hash over itself."""
    content: dict[str, Any] = json.loads(_MANIFEST.dump_json(manifest))
    return json.dumps({**content, "checksum": _checksum(content)}, indent=1).encode()


def read(directory: Path) -> Manifest:
    """Read a manifest; RefusedError if there is none, it is damaged, or made by a newer program."""
    try:
        content = json.loads((directory / NAME).read_bytes())
    except FileNotFoundError as error:
        raise RefusedError(
            f"{directory} is not a backup: it has no {NAME}. Name a directory that"
            " `zahltag backup create` has made."
        ) from error
    except NotADirectoryError as error:
        raise RefusedError(f"{directory} is not a backup: it is no directory.") from error
    except PermissionError as error:
        raise RefusedError(f"{directory} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise damaged(directory, NAME) from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise RefusedError(f"{directory} is not a backup of Zahltag.")
    if isinstance(content.get("format"), int) and content["format"] > FORMAT:
        raise RefusedError(
            f"The backup was made by a newer Zahltag ({str(content.get('product'))[:20]}):"
            " install that version, or a later one, and restore with it."
        )
    if content.pop("checksum", "") != _checksum(content):
        raise damaged(directory, NAME)
    try:
        manifest = _MANIFEST.validate_python(content)
    except ValidationError as error:
        raise damaged(directory, NAME) from error
    names = [part for table in manifest.tables for part in (table.name, *table.columns)]
    if not all(_PLAIN.fullmatch(name) for name in (*names, *manifest.sequences)):
        raise damaged(directory, NAME)
    return manifest


def verify_files(directory: Path, manifest: Manifest) -> None:
    """Compare every file with its hash; RefusedError names the first that is missing or damaged."""
    hashes = {table.file: table.sha256 for table in manifest.tables}
    if manifest.secret_key:
        hashes[KEY_FILE] = manifest.secret_key
    for name, expected in hashes.items():
        try:
            found = _sha256(directory / name)
        except FileNotFoundError as error:
            if name == KEY_FILE:  # it may have been put away from the backup, as it should
                continue
            raise damaged(directory, name, "is missing") from error
        except PermissionError as error:
            raise RefusedError(f"{directory / name} cannot be read: {error.strerror}.") from error
        except OSError as error:
            raise damaged(directory, name, f"cannot be read ({error.strerror})") from error
        if found != expected:
            raise damaged(directory, name)


def damaged(directory: Path, name: str, what: str = "is damaged") -> RefusedError:
    """Return the refusal of a backup that is not whole."""
    return RefusedError(f"The backup {directory} cannot be used: {name} {what}. Take another one.")


def key_id(key: str) -> str:
    """Name a key without giving it away: it is 32 random bytes, so nobody guesses it by a hash."""
    return hashlib.sha256(b"zahltag-key:" + key.encode()).hexdigest()[:16] if key else ""


def as_json(manifest: Manifest) -> dict[str, Any]:
    """Return what a program wants to know of a backup."""
    counts = {table.name: table.rows for table in manifest.tables}
    told = asdict(manifest) | {"tables": counts, "taken_at": manifest.taken_at.isoformat()}
    told["story"]["began"] = manifest.story.began.isoformat() if manifest.story.began else None
    return told


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _sha256(path: Path) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hashed.update(block)
    return hashed.hexdigest()
