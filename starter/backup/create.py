"""Takes a backup: the facts of one moment, in a directory that appears when it is whole.

All of it is read in one read-only transaction, so it is consistent however much is going on; nobody
waits for it. Tables are written as CSV: any PostgreSQL reads them, and so does a person.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from domain.errors import RefusedError
from models.settings import Settings
from starter.backup import facts, manifest
from starter.backup.manifest import KEY_FILE, Manifest, TableFile
from starter.backup.progress import Progress, Say
from starter.stack import migrate
from starter.stack.checks import LAST_BACKUP
from starter.stack.processes import ProcessRef

if TYPE_CHECKING:
    from asyncpg import Connection

# How text stands in the files, whatever the server is set to.
SESSION = {
    "datestyle": "ISO",
    "timezone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "application_name": "zahltag backup",
}
_UNFINISHED = ".unfinished"


async def create(settings: Settings, target: Path, say: Say, *, with_key: bool = True) -> Manifest:
    """Write a backup to ``target``; RefusedError if that is not empty or something is in the way.

    ``with_key`` puts the key that opens the webhook secrets beside the facts.
    """
    _must_be_free(target)
    connection = await connect(settings)
    try:
        with _growing(target) as directory:
            made = await _write(connection, settings, directory, say, with_key=with_key)
        await _note(connection)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise RefusedError(f"The database refused the backup: {error}.") from error
    except OSError as error:
        raise RefusedError(
            f"The backup cannot be written to {target}: {error.strerror or error}."
            " Nothing was left there."
        ) from error
    else:
        return made
    finally:
        connection.terminate()


async def connect(settings: Settings) -> Connection:
    """Connect to the database of the settings; RefusedError if it cannot be reached."""
    url = settings.database_url.get_secret_value()
    try:
        return await asyncpg.connect(url, timeout=10, server_settings=SESSION)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RefusedError(
            f"The database cannot be reached ({reason}): start it (`zahltag up --detach`), or"
            " correct ZAHLTAG_DATABASE_URL."
        ) from error


async def _note(connection: Connection) -> None:
    """Let the doctor know when the last backup was; the backup is whole without it."""
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await connection.execute(
            "insert into history (case_id, at, actor, event, text, detail)"
            " values ($1, now(), 'zahltag', 'backup', 'A backup was taken', '{}')",
            LAST_BACKUP,
        )


async def _write(
    connection: Connection, settings: Settings, directory: Path, say: Say, *, with_key: bool
) -> Manifest:
    # Taken before the moment that is read: a migration that is under way comes to its end first.
    if not await connection.fetchval("select pg_try_advisory_lock_shared($1)", migrate.LOCK):
        raise RefusedError("A migration or a restore is under way: try again when it has ended.")
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        taken_at = await connection.fetchval("select now()")
        schema = await facts.schema_version(connection)
        if schema is None:
            raise RefusedError("There is nothing to back up: the database has no tables yet.")
        found = await facts.tables(connection)
        for name in facts.foreign(list(found)) if schema == migrate.revisions()[-1] else []:
            say(f"{name} is no table of Zahltag's and is left out")
            del found[name]
        (directory / "tables").mkdir(mode=0o700)
        progress = Progress(say, "read")
        files = tuple(
            [
                await _copy_out(connection, directory, name, columns, progress)
                for name, columns in found.items()
            ]
        )
        story = await facts.story(connection)
        # Sequences stand outside transactions: read last, they are never behind the rows.
        sequences = {
            row["name"]: row["last"]
            for row in await connection.fetch(
                "select sequencename as name, last_value as last from pg_sequences"
                " where schemaname = current_schema() and last_value is not null"
            )
        }
    key = settings.secret_key.get_secret_value()
    if key and with_key:
        _store(directory / KEY_FILE, key.encode())
    made = Manifest(
        taken_at=taken_at,
        product=version("zahltag"),
        schema=schema,
        story=story,
        tables=files,
        sequences=sequences,
        key_id=manifest.key_id(key),
        secret_key=hashlib.sha256(key.encode()).hexdigest() if key and with_key else "",
    )
    _store(directory / manifest.NAME, manifest.write(made))
    sync_directory(directory / "tables")
    sync_directory(directory)
    return made


async def _copy_out(
    connection: Connection, directory: Path, name: str, columns: list[str], progress: Progress
) -> TableFile:
    path = directory / "tables" / f"{name}.csv.gz"
    listed = ", ".join(columns)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        with gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:

            async def take(chunk: bytes) -> None:
                packed.write(chunk)
                progress.add(name, len(chunk))

            status = await connection.copy_from_query(
                f"select {listed} from {name}",  # noqa: S608 - the names are the schema's own
                output=take,
                format="csv",
                header=True,
            )
        file.flush()
        os.fsync(file.fileno())
    with path.open("rb") as written:
        sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    return TableFile(
        name=name,
        columns=tuple(columns),
        rows=int(status.split()[-1]),
        bytes=path.stat().st_size,
        sha256=sha256,
    )


@contextmanager
def _growing(target: Path) -> Iterator[Path]:
    """Yield a private directory beside the target that takes its name at the end, or goes away."""
    parent = target.parent
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for leftover in parent.glob(f".{target.name}.*{_UNFINISHED}"):
        pid = leftover.name.removesuffix(_UNFINISHED).rpartition(".")[2]
        if pid.isdecimal() and ProcessRef.of(int(pid)) is None:
            shutil.rmtree(leftover, ignore_errors=True)
    directory = parent / f".{target.name}.{os.getpid()}{_UNFINISHED}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    try:
        yield directory
        directory.rename(target)  # takes the place of an empty directory, of no other
        sync_directory(parent)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _must_be_free(target: Path) -> None:
    try:
        taken = target.is_symlink() or (
            target.exists() and (not target.is_dir() or any(target.iterdir()))
        )
    except OSError as error:
        raise RefusedError(f"{target} cannot be used: {error.strerror}.") from error
    if taken:
        raise RefusedError(f"{target} is there and not empty: name a directory that is new.")


def _store(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Bring the names in a directory to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
