"""A disk without space: nothing half done, nothing acknowledged is lost, it goes on afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio
from sqlalchemy import text

from connectors.mail import SmtpMailer
from domain.order_case import Step
from starter.api.app import make_app
from starter.stack import doctor
from starter.stack.account import owner_of
from starter.stack.datadir import DataDir
from starter.stack.ports import free_port
from starter.stack.table import greets
from starter.stack.throwaway import ThrowawayServer
from tests.activities.driver import SAMPLES
from tests.activities.test_effects_once import counts
from tests.faults.conftest import Servers
from tests.workflows.house import eventually

SIZE = 2 * 1024 * 1024


@contextlib.asynccontextmanager
async def mailbox_process(servers: Servers) -> AsyncIterator[int]:
    """The mailbox as a process of its own, given to the driver; yields its pid."""
    port = free_port()
    own = servers.settings.model_copy(update={"smtp_port": port})
    given = {"ZAHLTAG_SMTP_PORT": str(port), "ZAHLTAG_MAILBOX_DIR": str(own.mailbox_dir)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starter.stack.mailbox", env={**os.environ, **given}
    )
    mailer = SmtpMailer(own, timeout=10)
    try:

        async def there() -> bool | None:
            return await greets(port) or None

        await eventually(there, 60)
        servers.driver.services = replace(servers.driver.services, mailer=mailer)
        yield process.pid
    finally:
        await mailer.aclose()
        process.kill()
        await process.wait()


async def test_the_mailbox_cannot_write(servers: Servers) -> None:
    """It says later and leaves nothing half written; with space the mail goes in, once.

    A limit of the process stands in for the disk: to a program both are a write that fails.
    """
    request = await servers.next(Step.SEND_EMAIL)
    async with mailbox_process(servers) as pid:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, hard))
        errors = [await servers.attempt(request, Step.SEND_EMAIL) for _ in range(3)]
        assert errors == ["MailNotSentError"] * 3
        assert await servers.mail_states() == ["intended"]
        assert "The mailbox cannot store the mail" in await outcome(servers)
        assert servers.settings.mailbox_dir
        assert list(servers.settings.mailbox_dir.iterdir()) == []

        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert await servers.attempt(request, Step.SEND_EMAIL) == ""
    assert (servers.arrived(), await servers.mail_states()) == (1, ["sent"])


async def outcome(servers: Servers) -> str:
    """Return what the last try to send said."""
    async with servers.sound.engine.connect() as connection:
        return str(await connection.scalar(text("select outcome from outgoing_mail")))


@dataclass
class SmallDisk:
    """A file system of 2 MB on which messages and documents lie."""

    path: Path

    def fill(self) -> None:
        """Take all the space."""
        with contextlib.suppress(OSError), (self.path / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def free(self) -> None:
        """Give it back."""
        (self.path / "filler").unlink()


@pytest.fixture
def mounted() -> Iterator[Path]:
    """A small file system that everybody may enter."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs"]
    path = Path(tempfile.mkdtemp(prefix="zahltag-disk-"))
    try:
        if os.geteuid() != 0 or not shutil.which("mount"):
            pytest.skip("only root can mount a small file system")
        if subprocess.run([*mount, path], check=False, capture_output=True).returncode:
            pytest.skip("this machine does not allow to mount a small file system")
        yield path
        subprocess.run(["umount", path], check=True)
    finally:
        path.rmdir()


@pytest_asyncio.fixture
async def small_disk(
    mounted: Path, postgres: ThrowawayServer, servers: Servers
) -> AsyncIterator[SmallDisk]:
    """Put the tables that grow on a small disk; they are put back in the end."""
    owner, place = owner_of(postgres.home / "cluster"), mounted / "tables"
    place.mkdir()
    if owner.uid is not None and owner.gid is not None:
        os.chown(place, owner.uid, owner.gid)
    connection = await asyncpg.connect(servers.settings.database_url.get_secret_value())
    try:
        await connection.execute(f"create tablespace small location '{place}'")
        # What tests before this one wrote and deleted in this database would still be room.
        await connection.execute("vacuum full inbox, document")
        await _move(connection, "small")
        yield SmallDisk(mounted)
        await _move(connection, "pg_default")
        await connection.execute("drop tablespace small")
    finally:
        await connection.close()


async def _move(connection: asyncpg.Connection, tablespace: str) -> None:
    for table in ("inbox", "document"):
        await connection.execute(f"alter table {table} set tablespace {tablespace}")


async def test_the_database_cannot_write(servers: Servers, small_disk: SmallDisk) -> None:
    """The invoice is made with all its parts or not at all, and takes no number in vain."""
    request = await servers.next(Step.CREATE_INVOICE)
    small_disk.fill()
    before = await counts(servers.sound)
    for _ in range(3):
        with pytest.raises(Exception, match="No space left on device"):
            await servers.driver.activity(Step.CREATE_INVOICE)(request)
    assert await counts(servers.sound) == before

    small_disk.free()
    assert await servers.attempt(request, Step.CREATE_INVOICE) == ""
    assert (await counts(servers.sound))["invoice"] == 1


async def test_what_cannot_be_stored_is_not_acknowledged(
    servers: Servers, small_disk: SmallDisk
) -> None:
    """The shop is told to try again (503) in a sentence; what was answered with 200 is there."""
    small_disk.fill()
    async with api(servers) as http:
        answers = [await submit(http, number) for number in range(1, 25)]
        taken = [answer for answer in answers if answer.status_code == 200]
        refused = [answer for answer in answers if answer.status_code == 503]
        assert len(taken) + len(refused) == len(answers)
        assert refused
        assert "disk of the database is full" in refused[0].json()["error"]
        assert await orders(servers) == len(taken)

        small_disk.free()
        again = [await submit(http, number) for number in range(1, 25)]
        assert {answer.status_code for answer in again} == {200}
    assert await orders(servers) == len(answers)


async def orders(servers: Servers) -> int:
    """Count the orders."""
    async with servers.sound.engine.connect() as connection:
        return int(await connection.scalar(text("select count(*) from sales_order")) or 0)


@contextlib.asynccontextmanager
async def api(servers: Servers) -> AsyncIterator[httpx.AsyncClient]:
    """The API; Temporal is not needed to take anything in."""

    async def nobody() -> None:
        raise RuntimeError("nobody is there")

    app = make_app(servers.settings, servers.driver.services.database, nobody)
    token = servers.settings.api_token.get_secret_value()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://test",
        headers={"Authorization": f"Bearer {token}"},
    ) as http:
        yield http


async def submit(http: httpx.AsyncClient, number: int) -> httpx.Response:
    """Submit an order of its own, with a note of incompressible length."""
    document = json.loads((SAMPLES / "zahltag-ok.json").read_text())
    document |= {"order_no": f"ZT-D{number}", "note": f"{number} " * 400}
    return await http.post("/api/orders?source=zahltag", content=json.dumps(document))


async def test_the_doctor_names_the_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is quite full: below the threshold it says which disk, and what to do."""
    monkeypatch.setattr(doctor, "ENOUGH_SPACE", shutil.disk_usage(tmp_path).free * 2)
    data = DataDir.at(tmp_path / "data")
    data.create()

    checks = {check.name: check for check in await doctor.examine(data)}

    found = checks[f"disk space of {data.path}"]
    assert not found.ok
    assert found.finding.endswith("GB are free")
    assert "free at least 1 GB" in found.remedy
