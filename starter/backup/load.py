"""Puts a backup into a database, in one transaction: all of it, or nothing.

The schema is made anew as it was when the backup was taken, filled, checked by the database's own
constraints, and brought up to date. Nothing of it can be seen before the caller commits.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy import text

from domain.errors import RefusedError
from starter.backup import facts
from starter.backup.manifest import Manifest, TableFile, damaged
from starter.backup.progress import Progress, Say
from starter.stack import migrate

if TYPE_CHECKING:
    from asyncpg import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

_CHUNK = 256 * 1024
_TELLING = """
select t.tgname, c.relname as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal and t.tgconstraint = 0
  and c.relnamespace = current_schema()::regnamespace"""


def must_be_known(manifest: Manifest) -> None:
    """RefusedError if the backup's schema is newer than this program."""
    known = migrate.revisions()
    if manifest.schema not in known:
        raise RefusedError(
            f"The backup has the schema {manifest.schema} of Zahltag {manifest.product}, which this"
            f" version does not know (it knows up to {known[-1]}): install that version, or a"
            " later one, and restore with it."
        )


async def load(
    connection: AsyncConnection, directory: Path, manifest: Manifest, say: Say
) -> Connection:
    """Replace what is there by the backup, uncommitted; return the driver's connection.

    RefusedError if the backup does not fit, or others built on what is there.
    """
    locked = await connection.scalar(
        text("select pg_try_advisory_xact_lock(:key)"), {"key": migrate.LOCK}
    )
    if not locked:
        raise RefusedError("A migration, backup or restore is under way: try again afterwards.")
    raw: Connection = (await connection.get_raw_connection()).driver_connection
    try:
        await _replace(connection, raw, directory, manifest, say)
    except asyncpg.DependentObjectsStillExistError as error:
        raise RefusedError(
            f"Something in the database was built on Zahltag's tables ({error.detail}):"
            " remove it, or restore into a database of its own."
        ) from error
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise RefusedError(f"The backup {directory} does not fit together: {error}.") from error
    return raw


async def _replace(
    connection: AsyncConnection, raw: Connection, directory: Path, manifest: Manifest, say: Say
) -> None:
    await facts.drop_everything(raw)
    await connection.run_sync(migrate.apply, manifest.schema)
    known = await facts.tables(raw)
    files = {table.name: table for table in manifest.tables}
    if missing := sorted(known.keys() - files.keys()):
        raise damaged(directory, "manifest.json", f"does not name the table {missing[0]}")
    for name in sorted(files.keys() - known.keys()):
        say(f"{name} is no table of Zahltag's and is left out")
    progress = Progress(say, "restored")
    # Triggers that tell somebody of a change would add rows to those of the backup. The ones that
    # guarantee something are constraints, and stay.
    telling = [(row["tgname"], row["name"]) for row in await raw.fetch(_TELLING)]
    for trigger, name in telling:
        await raw.execute(f"alter table {name} disable trigger {trigger}")
    for name in known:  # parents first: rows refer to rows that are there
        await _copy_in(raw, directory, files[name], known[name], progress)
    for name, last in manifest.sequences.items():
        if await raw.fetchval("select to_regclass($1)", name) is not None:
            await raw.execute("select setval($1::text::regclass, $2)", name, last)
    # What the database guarantees at each commit (entries sum to zero, ...) is checked now.
    await raw.execute("set constraints all immediate")
    for trigger, name in telling:
        await raw.execute(f"alter table {name} enable trigger {trigger}")
    await connection.run_sync(migrate.apply)
    await raw.execute("analyze")


async def _copy_in(
    connection: Connection,
    directory: Path,
    file: TableFile,
    known: list[str],
    progress: Progress,
) -> None:
    if sorted(known) != sorted(file.columns):
        raise damaged(directory, "manifest.json", f"names other columns of {file.name}")

    async def chunks() -> AsyncIterator[bytes]:
        with gzip.open(directory / file.file, "rb") as packed:
            while chunk := await asyncio.to_thread(packed.read, _CHUNK):
                progress.add(file.name, len(chunk))
                yield chunk

    try:
        status = await connection.copy_to_table(
            file.name,
            columns=list(file.columns),
            source=chunks(),
            format="csv",
            header=True,
        )
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, ConnectionError):
            raise
        raise damaged(directory, file.file) from error
    if int(status.split()[-1]) != file.rows:
        raise damaged(directory, file.file, "has another number of rows than it should")
