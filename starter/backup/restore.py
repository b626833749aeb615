"""Brings a backup back: all of it or nothing, and no workflow of the world that it replaces.

Everything that can be refused is refused before anything is stopped. The facts are replaced in one
transaction. Right before its commit Temporal is made to forget: facts without workflows are mended
by the sweeper, workflows without their facts by nobody.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import RefusedError
from models.settings import Settings
from models.store import audit, channels, restored
from models.store.database import joined
from models.store.dunning.aftermath import Stilled
from models.vault import Vault
from starter.backup import create, facts, gap, manifest
from starter.backup.closed import closed_stack, database_and_notice
from starter.backup.load import load, must_be_known
from starter.backup.manifest import Manifest, Story
from starter.backup.progress import Say
from starter.stack import control, migrate
from starter.stack.datadir import DataDir
from starter.stack.environment import is_external, settings_of

if TYPE_CHECKING:
    from asyncpg import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

# Leaving its block means that the new facts are there; an error in it, that they are not.
Forgetting = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be restored, and what the person says about it."""

    directory: Path
    replace: bool = False
    last_invoice: str | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. ``series``: the invoice series from now on, empty if the old one goes on.

    ``held`` are the cases that wait for a person's look, ``stilled`` the notices that were dropped
    and the rules that were paused, ``locked_channels`` those whose secret nobody can open here,
    ``broken`` what the audit finds.
    """

    manifest: Manifest
    series: str
    held: tuple[str, ...]
    stilled: Stilled
    locked_channels: int
    broken: tuple[str, ...]


async def restore(data: DataDir, wish: Wish, say: Say) -> Restored:
    """Restore into the stack of a data directory, or into the servers of the settings."""
    found = manifest.read(wish.directory)
    must_be_known(found)
    say(f"checking {len(found.tables)} tables with {found.rows} rows")
    await asyncio.to_thread(manifest.verify_files, wish.directory, found)
    key = _key(wish, found)
    if is_external():
        settings = settings_of(data)
        return await _replace(settings, wish, found, key, say, await _terminating(settings))
    runs = control.is_supervised(data)
    if runs:
        await _precheck(settings_of(data), wish, found)
        say("stopping the stack; the API answers 503 meanwhile")
    try:
        async with closed_stack(data, database_and_notice) as settings:
            return await _replace(settings, wish, found, key, say, lambda: _without_temporal(data))
    finally:
        if runs:
            await control.up(data, say)


async def _precheck(settings: Settings, wish: Wish, found: Manifest) -> None:
    """Refuse before anything is stopped what would be refused afterwards."""
    try:
        connection = await create.connect(settings)
    except RefusedError:
        return  # the database is down; it is asked again once it is up
    try:
        await _judge(connection, wish, found)
    finally:
        connection.terminate()


@dataclass(frozen=True, slots=True)
class _Since:
    """What is known not to have left the house since the backup."""

    nothing: bool
    no_notice: bool


async def _judge(connection: Connection, wish: Wish, found: Manifest) -> _Since:
    """Say what is known not to have gone out since; RefusedError if facts are in the way."""
    there = await facts.what_is_there(connection)
    strangers = facts.foreign(list(await facts.tables(connection)))
    if strangers:
        raise RefusedError(
            f"The database holds tables that are not Zahltag's ({', '.join(strangers)}): restore"
            " into a database of its own."
        )
    if there and not wish.replace:
        raise RefusedError(
            f"There are facts in the database ({there}): nothing was changed. Restore into another"
            " data directory or an empty database, or say --replace to lose them."
        )
    old: Story | None = await facts.story(connection) if there else None
    return _Since(
        nothing=gap.nothing_since(found.story, old, wish.last_invoice),
        no_notice=gap.no_notice_since(found.story, old),
    )


async def _replace(
    settings: Settings, wish: Wish, found: Manifest, key: str, say: Say, forgetting: Forgetting
) -> Restored:
    try:
        async with migrate.connected(settings) as connection:
            raw: Connection = (await connection.get_raw_connection()).driver_connection
            await _must_be_alone(raw)
            since = await _judge(raw, wish, found)
            await load(connection, wish.directory, found, say)
            result = await _settle(connection, settings, found, key, since)
            async with forgetting():
                await connection.commit()
            return result
    except (OSError, TimeoutError, DBAPIError, asyncpg.PostgresError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise RefusedError(
            f"The backup was not restored, and the facts are what they were: {reason}."
        ) from error


async def _must_be_alone(connection: Connection) -> None:
    """RefusedError while worker, API or dispatcher are connected: they would write into it."""
    others = await connection.fetchval(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and backend_type = 'client backend'"
        " and usename = current_user"
    )
    if others:
        raise RefusedError(
            f"{others} other connection(s) use the database: stop worker, API and dispatcher (and"
            " close other tools) first."
        )


async def _settle(
    connection: AsyncConnection,
    settings: Settings,
    found: Manifest,
    key: str,
    since: _Since,
) -> Restored:
    async with joined(connection) as session:
        aftermath = await restored.settle(
            session,
            taken_at=found.taken_at,
            at=datetime.now(UTC),
            nothing_since=since.nothing,
            no_notice_since=since.no_notice,
        )
        locked = await _seal(session, settings, found, key)
        broken = [check.name for check in await audit.verify(session) if not check.ok]
    return Restored(
        manifest=found,
        series=aftermath.series,
        held=aftermath.held,
        stilled=aftermath.stilled,
        locked_channels=locked,
        broken=tuple(broken),
    )


def _key(wish: Wish, found: Manifest) -> str:
    """Read the key that sealed the webhook secrets; empty if it is not at hand."""
    path = wish.key_file or wish.directory / manifest.KEY_FILE
    try:
        key = path.read_text(encoding="ascii").strip()
    except FileNotFoundError as error:
        if wish.key_file:
            raise RefusedError(f"There is no file {path}.") from error
        return ""
    except (OSError, ValueError) as error:
        raise RefusedError(f"The key file {path} cannot be read.") from error
    if manifest.key_id(key) != found.key_id:
        raise RefusedError(f"{path} is not the key with which this backup's secrets were sealed.")
    return key


async def _seal(session: AsyncSession, settings: Settings, found: Manifest, key: str) -> int:
    """Seal the webhook secrets with this installation's key; return how many nobody can open."""
    own = settings.secret_key.get_secret_value()
    sealed = len(await channels.list_all(session))
    if not sealed or manifest.key_id(own) == found.key_id:
        return 0
    if not key or not own:
        return sealed
    old = settings.model_copy(update={"secret_key": SecretStr(key)})
    await restored.seal_again(session, Vault(old), Vault(settings))
    return 0


@asynccontextmanager
async def _without_temporal(data: DataDir) -> AsyncIterator[None]:
    """Throw the embedded Temporal's database away, in one step.

    It does not come back if the commit fails: whether it did is not always known, and cases without
    a workflow get one, while a workflow without its facts would do harm.
    """
    here = data.temporal_file.parent
    aside = here.with_name("temporal.replaced")
    shutil.rmtree(aside, ignore_errors=True)
    here.rename(aside)
    here.mkdir(mode=0o700)
    yield
    shutil.rmtree(aside, ignore_errors=True)


async def _terminating(settings: Settings) -> Forgetting:
    """How the workflows of servers elsewhere are ended; RefusedError if Temporal is away."""
    from starter.backup.workflows import end_all, reach  # noqa: PLC0415 - slow to import

    client = await reach(settings)

    @asynccontextmanager
    async def forgetting() -> AsyncIterator[None]:
        await end_all(client, settings.task_queue)
        yield

    return forgetting
