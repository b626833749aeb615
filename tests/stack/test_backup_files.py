"""A backup is whole or not there; what is not whole is refused in one sentence and changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from pydantic import SecretStr

from domain.company import Company
from domain.errors import ConflictError, RefusedError
from models.settings import Settings
from models.store import channels, left_series, restored
from models.store import company as companies
from models.store.database import Database
from models.vault import Vault
from starter.backup import gap, manifest, restore
from starter.backup.create import create
from starter.backup.load import load, must_be_known
from starter.backup.manifest import Story
from starter.backup.restore import Wish
from starter.stack import migrate
from starter.stack.throwaway import ThrowawayServer

# What CSV could stumble over.
HOSTILE = [
    "",
    '"',
    "'",
    ",",
    "\\.",
    "\\N",
    "NULL",
    "a\nb\r\nc",
    "\t",
    "Müller & Söhne 🧾",
    "\u2028",
]
NOW = datetime(2026, 11, 22, 7, 14, tzinfo=UTC)


def quiet(_line: str) -> None:
    """Say nothing."""


@contextlib.asynccontextmanager
async def forgetting() -> AsyncIterator[None]:
    """Stand for a Temporal that has nothing to forget."""
    yield


@pytest_asyncio.fixture
async def filled(settings: Settings, company: Company, database: Database) -> Settings:
    """A database with some rows of every kind of column; nobody is connected to it."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    for number, words in enumerate(HOSTILE):
        await connection.execute(
            "insert into history (case_id, at, actor, event, text, detail)"
            " values ($1, now(), 'tests', 'note', $2::text, jsonb_build_object('words', $2::text))",
            f"case-{number}",
            words,
        )
        await connection.execute(
            "insert into inbox (channel, event_id, kind, body, sha256, received_at)"
            " values ('zahltag', $1, 'order', $2::bytea, encode(sha256($2::bytea), 'hex'), now())",
            f"event-{number}",
            words.encode() + bytes(range(256)),
        )
    await connection.execute(
        "insert into task (key, kind, title, description, assignee, due, status, context,"
        " created_at, done_by, outcome) values ('k', 'other', 't', '', '', '2026-12-01', 'open',"
        " '{}', now(), '', '')"
    )
    await connection.fetchval("select nextval('customer_number')")
    await connection.close()
    async with database.transaction() as session:
        sealed = Vault(settings).seal("whsec_of_the_shop")
        await channels.add_if_absent(session, "shop", "shopify", sealed, NOW)
    await database.close()
    assert company.invoice_series == "RE"
    return settings


def at(settings: Settings, url: str, **changes: Any) -> Settings:
    """The same settings for another database."""
    return settings.model_copy(update={"database_url": SecretStr(url), **changes})


async def bring_back(settings: Settings, directory: Path, **wish: Any) -> restore.Restored:
    """Restore into the database of these settings, without Temporal."""
    wanted = Wish(directory, **wish)
    found = manifest.read(directory)
    must_be_known(found)
    manifest.verify_files(directory, found)
    key = restore._key(wanted, found)
    return await restore._replace(settings, wanted, found, key, quiet, forgetting)


async def rows(settings: Settings) -> dict[str, int]:
    """How many rows each table has."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        names = await connection.fetch("select tablename from pg_tables where schemaname='public'")
        return {
            name: await connection.fetchval(f"select count(*) from {name}")  # noqa: S608 - a test
            for (name,) in names
        }
    finally:
        await connection.close()


def open_to_others(directory: Path) -> list[Path]:
    """What of a backup others could read."""
    every = [directory, *directory.rglob("*")]
    return [path for path in every if path.stat().st_mode & 0o077]


def leftovers(directory: Path) -> list[str]:
    """What unfinished backups have left beside their place."""
    return [path.name for path in directory.iterdir() if path.name.startswith(".")]


async def test_every_byte_comes_back(
    filled: Settings, postgres: ThrowawayServer, tmp_path: Path
) -> None:
    """A backup of the restored database has the same files; ids go on where they were."""
    made = await create(filled, tmp_path / "one", quiet)
    other = at(filled, await postgres.database())
    async with migrate.connected(other) as connection:
        await load(connection, tmp_path / "one", made, quiet)
        await connection.commit()
    again = await create(other, tmp_path / "two", quiet)
    assert {t.name: (t.rows, t.sha256) for t in again.tables} == {
        t.name: (t.rows, t.sha256) for t in made.tables
    }
    assert again.sequences == made.sequences
    assert made.rows_of("history") == len(HOSTILE)
    assert (await migrate.versions(other))[0] == migrate.revisions()[-1]
    assert open_to_others(tmp_path / "one") == []
    await postgres.drop(other.database_url.get_secret_value())


async def test_an_older_schema_is_restored_and_migrated(
    settings: Settings, database: Database, postgres: ThrowawayServer, tmp_path: Path
) -> None:
    """The backup from before an upgrade is taken with the new program, and comes back with it."""
    await database.close()  # nobody may be connected where it is restored
    old = at(settings, await postgres.database())
    async with migrate.connected(old) as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw
        await connection.exec_driver_sql("select 1")
        await raw.execute("drop schema public cascade; create schema public")
        await connection.run_sync(migrate.apply, "0001")
        await raw.execute(
            "insert into history (case_id, at, actor, event, text, detail)"
            " values ('c', now(), 'tests', 'note', 'old', '{}')"
        )
        await connection.commit()
    made = await create(old, tmp_path / "old", quiet)
    assert made.schema == "0001"
    done = await bring_back(settings, tmp_path / "old")
    assert done.broken == ()
    assert (await rows(settings))["due_date_change"] == 0
    assert (await migrate.versions(settings))[0] == migrate.revisions()[-1]
    await postgres.drop(old.database_url.get_secret_value())


async def test_what_is_there_is_not_replaced_unasked(filled: Settings, tmp_path: Path) -> None:
    """Facts stay unless the person says so; a directory that is not empty stays in any case."""
    await create(filled, tmp_path / "b", quiet)
    before = await rows(filled)
    with pytest.raises(RefusedError, match="--replace"):
        await bring_back(filled, tmp_path / "b")
    assert await rows(filled) == before
    done = await bring_back(filled, tmp_path / "b", replace=True)
    assert done.series == ""  # the database that was replaced showed that no invoice went out
    with pytest.raises(RefusedError, match="not empty"):
        await create(filled, tmp_path / "b", quiet)
    (tmp_path / "empty").mkdir()
    await create(filled, tmp_path / "empty", quiet)
    assert leftovers(tmp_path) == []


async def test_writers_keep_a_restore_away(filled: Settings, tmp_path: Path) -> None:
    """Worker, API and dispatcher have to be stopped first: they would write into it."""
    await create(filled, tmp_path / "b", quiet)
    other = await asyncpg.connect(filled.database_url.get_secret_value())
    with pytest.raises(RefusedError, match="stop worker, API and dispatcher"):
        await bring_back(filled, tmp_path / "b", replace=True)
    await other.close()


async def test_an_unknown_gap_gets_a_series_of_its_own(
    filled: Settings, postgres: ThrowawayServer, tmp_path: Path
) -> None:
    """No number can be given twice: a new series, and nobody goes back to the old one."""
    await create(filled, tmp_path / "b", quiet)
    url = await postgres.database()
    other = at(filled, url)
    done = await bring_back(other, tmp_path / "b")
    database = Database.connect(other)
    async with database.transaction() as session:
        firm = await companies.get(session)
        assert (firm.invoice_series, firm.first_invoice_number) == (done.series, 1)
        with pytest.raises(ConflictError, match="was left when a backup was restored"):
            await companies.put(session, replace(firm, invoice_series="RE"), at=NOW, by="t")
    await database.close()
    done = await bring_back(other, tmp_path / "b", replace=True, last_invoice="none")
    assert done.series == ""
    await postgres.drop(url)


async def test_webhook_secrets_need_their_key(
    filled: Settings, postgres: ThrowawayServer, tmp_path: Path
) -> None:
    """With the key they are sealed with the new installation's; without it, that is said."""
    made = await create(filled, tmp_path / "b", quiet)
    bare = await create(filled, tmp_path / "bare", quiet, with_key=False)
    assert not (tmp_path / "bare" / "secret_key").exists()
    assert (made.key_id, bool(made.secret_key)) == (bare.key_id, True)
    url = await postgres.database()
    other = at(filled, url, secret_key=SecretStr(Fernet.generate_key().decode()))
    assert (await bring_back(other, tmp_path / "bare")).locked_channels == 1
    key = tmp_path / "b" / "secret_key"
    done = await bring_back(other, tmp_path / "bare", replace=True, key_file=key)
    assert done.locked_channels == 0
    database = Database.connect(other)
    async with database.transaction() as session:
        channel = await channels.get(session, "shop")
        assert Vault(other).open(channel.secret) == "whsec_of_the_shop"
    await database.close()
    (tmp_path / "wrong").write_text(Fernet.generate_key().decode())
    with pytest.raises(RefusedError, match="is not the key"):
        await bring_back(other, tmp_path / "bare", replace=True, key_file=tmp_path / "wrong")
    await postgres.drop(url)


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _rewrite(path: Path, **changes: Any) -> None:
    """Change a manifest as its maker would: the hash over it is right."""
    content = json.loads((path / manifest.NAME).read_text()) | changes
    content.pop("checksum")
    content["checksum"] = manifest._checksum(content)
    (path / manifest.NAME).write_text(json.dumps(content))


def _other_rows(path: Path) -> None:
    """Take a row away from a file and make every hash fit again."""
    file = path / "tables" / "history.csv.gz"
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(lines[:2])))
    tables = json.loads((path / manifest.NAME).read_text())["tables"]
    for table in tables:
        if table["name"] == "history":
            table["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    _rewrite(path, tables=tables)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a damaged file": (lambda p: _flip(p / "tables" / "inbox.csv.gz"), "inbox.csv.gz is damaged"),
    "a missing file": (lambda p: (p / "tables" / "task.csv.gz").unlink(), "task.csv.gz is missing"),
    "a damaged manifest": (lambda p: _flip(p / manifest.NAME), "manifest.json is damaged"),
    "no manifest": (lambda p: (p / manifest.NAME).unlink(), "is not a backup"),
    "another thing": (lambda p: (p / manifest.NAME).write_text("{}"), "is not a backup"),
    "a newer format": (lambda p: _rewrite(p, format=2), "newer Zahltag"),
    "a newer schema": (lambda p: _rewrite(p, schema="9999"), "does not know"),
    "a path for a name": (
        lambda p: _rewrite(p, sequences={"../../x": 1}),
        "manifest.json is damaged",
    ),
    "rows that were taken away": (_other_rows, "another number of rows"),
}


async def test_what_is_not_whole_is_refused(
    filled: Settings, postgres: ThrowawayServer, tmp_path: Path
) -> None:
    """Each kind of damage: one sentence that names it, and the database is what it was."""
    url = await postgres.database()
    other = at(filled, url)
    before = await rows(other)
    for number, (name, (damage, said)) in enumerate(DAMAGES.items()):
        directory = tmp_path / str(number)
        await create(filled, directory, quiet)
        damage(directory)
        with pytest.raises(RefusedError) as refused:
            await bring_back(other, directory)
        assert said in refused.value.message, name
        assert "\n" not in refused.value.message
        assert await rows(other) == before, name
    await postgres.drop(url)


def run(*words: str, url: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program of ours against a database."""
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "ZAHLTAG_DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        **options,
    )


def start(*words: str, url: str) -> subprocess.Popen[bytes]:
    """Start a program of ours against a database."""
    return subprocess.Popen(
        [sys.executable, *words], env={**os.environ, "ZAHLTAG_DATABASE_URL": url}
    )


def _little_space() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))


async def test_a_full_disk_leaves_nothing(filled: Settings, tmp_path: Path) -> None:
    """Neither the disk that is full in the middle nor a place without rights leaves a trace."""
    url = filled.database_url.get_secret_value()
    words = ("-m", "starter.cli", "backup", "create")
    for target, options in (
        (tmp_path / "b", {"preexec_fn": _little_space}),
        (Path("/proc/nowhere/b"), {}),
    ):
        done = await asyncio.to_thread(run, *words, str(target), url=url, **options)
        assert done.returncode == 1
        assert "cannot be written" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert leftovers(tmp_path) == []
    assert not (tmp_path / "b").exists()


async def test_killed_while_it_is_taken(filled: Settings, tmp_path: Path) -> None:
    """SIGKILL in the middle: there is no backup, and the next one clears up what was left."""
    url = filled.database_url.get_secret_value()
    holding = await asyncpg.connect(url)
    await holding.execute("begin; lock table task in access exclusive mode")
    taking = start("-m", "starter.cli", "backup", "create", str(tmp_path / "b"), url=url)
    waits = "select count(*) from pg_locks where not granted"
    deadline = time.monotonic() + 60
    while not await holding.fetchval(waits):
        assert time.monotonic() < deadline
        assert taking.poll() is None
        await asyncio.sleep(0.05)
    taking.kill()
    taking.wait()
    await holding.execute("rollback")
    await holding.close()
    assert not (tmp_path / "b").exists()
    assert leftovers(tmp_path) == [f".b.{taking.pid}.unfinished"]
    await create(filled, tmp_path / "b", quiet)
    assert leftovers(tmp_path) == []


KILLED = """
import asyncio, os, signal, sys
from contextlib import asynccontextmanager
from pathlib import Path
from models.settings import Settings
from starter.backup import manifest, restore
from starter.backup.restore import Wish

@asynccontextmanager
async def dying():
    os.kill(os.getpid(), signal.SIGKILL)
    yield

directory = Path(sys.argv[1])
found = manifest.read(directory)
asyncio.run(restore._replace(Settings(), Wish(directory), found, "", print, dying))
"""


async def test_killed_while_it_is_restored(
    filled: Settings, postgres: ThrowawayServer, tmp_path: Path
) -> None:
    """SIGKILL at the last moment before the commit: the database is what it was."""
    await create(filled, tmp_path / "b", quiet)
    url = await postgres.database()
    before = await rows(at(filled, url))
    done = await asyncio.to_thread(run, "-c", KILLED, str(tmp_path / "b"), url=url)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert await rows(at(filled, url)) == before

    async def gone() -> Any:
        return await bring_back(at(filled, url), tmp_path / "b")

    assert (await _soon(gone)).broken == ()
    await postgres.drop(url)


async def _soon(action: Callable[[], Awaitable[Any]]) -> Any:
    """Try until the session of the killed process is gone."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return await action()
        except RefusedError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


STORY = Story(NOW, 0, "RE-2026-00041")


@pytest.mark.parametrize(
    ("backup", "replaced", "said", "expected"),
    [
        (STORY, None, None, False),
        (STORY, None, "RE-2026-00041", True),
        (STORY, None, "RE-2026-00042", False),
        (STORY, None, "RE-2027-00001", False),
        (STORY, STORY, None, True),
        (STORY, replace(STORY, last_invoice="RE-2026-00042"), None, False),
        (STORY, replace(STORY, restores=1), None, False),
        (STORY, replace(STORY, began=None), "RE-2026-00041", True),
        (replace(STORY, last_invoice=""), None, "none", True),
    ],
)
def test_whether_an_invoice_went_out_is_known(
    backup: Story, replaced: Story | None, said: str | None, *, expected: bool
) -> None:
    """A person who knows, or the database that is replaced; else it may have."""
    assert gap.nothing_since(backup, replaced, said) is expected


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        (None, "RE-2026-00040"),
        (None, "last"),
        (replace(STORY, last_invoice="RE-2026-00042"), "RE-2026-00041"),
    ],
)
def test_what_cannot_be_is_refused(replaced: Story | None, said: str) -> None:
    """A number before the backup's own last, no number, or one that the database contradicts."""
    with pytest.raises(RefusedError):
        gap.nothing_since(STORY, replaced, said)


def test_a_new_series_fits_and_does_not_grow() -> None:
    """It keeps to the twelve characters of a series, however often it is restored."""
    first = restored.new_series("RE", NOW)
    assert first == "RE11220714"
    assert restored.new_series(first, NOW) == first
    assert restored.new_series("RECHNUNG-A", NOW) == "RECH11220714"
    assert left_series.EVENT == "restored"
