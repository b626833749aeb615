"""A backup of a running stack becomes another stack: its cases go on, and nothing happens twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import text

from connectors.mailbox import list_mails
from domain.errors import RefusedError
from models.settings import Settings
from models.store import audit
from models.store.database import Database
from starter.backup import restore as backups
from starter.backup.create import create
from starter.backup.notice import SENTENCE
from starter.backup.restore import Wish
from starter.dispatcher import Dispatcher
from starter.stack import control, migrate
from starter.stack.datadir import DataDir
from starter.stack.doctor import examine
from starter.stack.throwaway import ThrowawayServer, running_stack
from starter.temporal import connect
from tests.crash.shop import Buying, Shop
from tests.crash.test_crash import all_end, make_older, unfinished
from tests.invariants import check

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

RESTING = 3  # orders that rest when the backup is taken; the others come in meanwhile
ORDERS = 6


async def test_a_running_stack_is_backed_up_and_goes_on_elsewhere(
    tmp_path: Path, postgres: ThrowawayServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders come in while it is taken, more happens after it, and another stack takes over."""
    backup = tmp_path / "backup"
    async with running_stack(tmp_path / "one") as settings:
        rested, numbers = await _work(settings, backup)

    data = DataDir(tmp_path / "two")
    done = await backups.restore(data, Wish(backup), print)
    assert done.broken == ()
    assert done.series.startswith("RE")
    assert done.locked_channels == 0
    began = datetime.now(UTC)
    async with running_stack(data.path) as settings, _database(settings) as database:
        told = await _sent(database, began)  # by then it may have sent more already
        shown = await _cases(settings)
        assert {number: shown[number] for number in rested} == rested
        await _go_on(settings, database)
        assert [c.finding for c in await examine(data) if not c.ok] == []
        await _nothing_happened_twice(settings, database, told, numbers)

        await _servers_elsewhere(settings, backup, postgres, tmp_path, monkeypatch)


async def test_a_running_stack_is_replaced_and_runs_again(tmp_path: Path) -> None:
    """It is stopped, says so to whoever calls meanwhile, and runs again whatever became of it."""
    data, backup = DataDir(tmp_path / "data"), tmp_path / "backup"
    async with running_stack(data.path, "tests.stack.standins:only_postgres") as settings:
        await migrate.upgrade(settings)
        connection = await asyncpg.connect(settings.database_url.get_secret_value())
        await connection.execute(_FACT, "before")
        await create(settings, backup, print)
        await connection.execute(_FACT, "after")
        data.temporal_file.write_text("the process of a world that will be gone")
        with pytest.raises(RefusedError, match="--replace"):
            await backups.restore(data, Wish(backup), print)
        assert await connection.fetchval("select 1") == 1  # nothing was stopped for it

        heard: set[tuple[int, bytes]] = set()
        asking = asyncio.create_task(_ask(f"{settings.api_base_url}/health", heard))
        await backups.restore(data, Wish(backup, replace=True), print)
        asking.cancel()
        assert (503, SENTENCE) in {(code, json.loads(said)["error"]) for code, said in heard}
        assert (await control.status(data)).healthy
        assert list(data.temporal_file.parent.iterdir()) == []
        connection = await asyncpg.connect(settings.database_url.get_secret_value())
        kept = await connection.fetch("select text from history where case_id = 'a case'")
        assert [row["text"] for row in kept] == ["before"]
        await connection.close()


_FACT = (
    "insert into history (case_id, at, actor, event, text, detail)"
    " values ('a case', now(), 'tests', 'note', $1, '{}')"
)


async def _ask(url: str, heard: set[tuple[int, bytes]]) -> None:
    while True:
        code, said = await asyncio.to_thread(_post, url)
        if code:
            heard.add((code, said))
        await asyncio.sleep(0.02)


def _post(url: str) -> tuple[int, bytes]:
    try:
        answer = httpx.post(url, content=b"x" * 100_000, trust_env=False)
    except httpx.HTTPError:
        return 0, b""
    return answer.status_code, answer.content


async def _work(settings: Settings, backup: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Fill a stack, take a backup in the middle, go on; return what rested, and each invoice."""
    async with _shop(settings) as crowd, _database(settings) as database, all_end(crowd):
        buyings = crowd.open(ORDERS)
        resting, coming = buyings[:RESTING], buyings[RESTING:]
        await asyncio.gather(*(crowd.order(buying) for buying in resting))
        await crowd.until(lambda b: b.waits_for_money or b.closed, *resting)
        await make_older(database)
        rested = await _cases(settings)

        placing = [asyncio.create_task(crowd.buy(b, after=0.3 * n)) for n, b in enumerate(coming)]
        await crowd.until(lambda b: b.case_id, coming[1])
        made = await create(settings, backup, print)
        assert made.rows_of("sales_order") >= RESTING
        # What follows is unknown to the backup: payments, mails, invoice numbers.
        await asyncio.gather(*placing, crowd.pay(resting[0]), crowd.pay(resting[1]))
        await crowd.until(lambda b: b.closed, *coming, *resting[:2])
        return rested, await _invoices(database)


async def _go_on(settings: Settings, database: Database) -> None:
    """Let the shop send again what it sent, look at what is held, pay everything but one."""
    await make_older(database)  # the sweeper leaves cases of the last seconds alone
    await Dispatcher(database, await connect(settings), settings.task_queue).sweep()
    async with _shop(settings) as crowd, all_end(crowd):
        buyings = crowd.open(ORDERS)
        await asyncio.gather(*(crowd.order(buying) for buying in buyings))
        await asyncio.gather(*(_look_after(settings, database, buying) for buying in buyings))
        await crowd.look()
        owing = [buying for buying in buyings[1:] if not buying.closed]
        await asyncio.gather(*(crowd.pay(buying) for buying in owing))
        await crowd.until(lambda b: b.closed, *buyings[1:])
        assert not buyings[0].closed, unfinished(crowd)


async def _look_after(settings: Settings, database: Database, buying: Buying) -> None:
    """Retry a case that the restore has held, as a person does after a look."""
    held = text(
        "select count(*) from case_exception where case_id = :id and resolved_at is null"
        " and found like 'restored from%'"
    )
    async with database.engine.connect() as connection:
        if not await connection.scalar(held, {"id": buying.case_id}):
            return
    data = DataDir(settings.data_dir)
    await asyncio.to_thread(_zahltag, data, "case", "retry", buying.case_id)


async def _nothing_happened_twice(
    settings: Settings, database: Database, told: set[str], numbers: dict[str, str]
) -> None:
    await check(database, client=await connect(settings))
    assert settings.mailbox_dir
    arrived = list_mails(settings.mailbox_dir)
    assert set(Counter(mail.message_id for mail in arrived).values()) == {1}
    assert {mail.message_id for mail in arrived} & told == set()
    for number, document in (await _invoices(database)).items():
        assert numbers.get(number, document) == document, f"{number} was given twice"
    async with database.transaction() as session:
        assert [found.name for found in await audit.verify(session) if not found.ok] == []


async def _servers_elsewhere(
    settings: Settings,
    backup: Path,
    postgres: ThrowawayServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Into a database of its own: the workflows of the facts that are gone are ended."""
    client = await connect(settings)
    query = "ExecutionStatus = 'Running'"
    assert [each.id async for each in client.list_workflows(query)]
    url = await postgres.database()
    monkeypatch.setenv("ZAHLTAG_DATABASE_URL", url)
    monkeypatch.setenv("ZAHLTAG_TEMPORAL_ADDRESS", settings.temporal_address)
    monkeypatch.setenv("ZAHLTAG_SECRET_KEY", settings.secret_key.get_secret_value())
    before = {each.id: each.run_id async for each in client.list_workflows(query)}
    done = await backups.restore(DataDir(tmp_path / "none"), Wish(backup), print)
    assert (done.broken, done.locked_channels) == ((), 0)
    for case_id, run_id in before.items():
        handle = client.get_workflow_handle(case_id, run_id=run_id)
        assert (await handle.describe()).status.name == "TERMINATED"  # type: ignore[union-attr]


def _zahltag(data: DataDir, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "starter.cli", "--data-dir", str(data.path), *words],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def _cases(settings: Settings) -> dict[str, Any]:
    """What `case list` shows, by id."""
    data = DataDir(settings.data_dir)
    shown = json.loads(await asyncio.to_thread(_zahltag, data, "case", "list", "--json"))
    return {case["id"]: case for case in shown}


async def _sent(database: Database, before: datetime) -> set[str]:
    async with database.engine.connect() as connection:
        rows = await connection.execute(
            text(
                "select message_id from outgoing_mail where state = 'sent' and settled_at < :before"
            ),
            {"before": before},
        )
        return set(rows.scalars())


async def _invoices(database: Database) -> dict[str, str]:
    """Each number and the hash of the document that bears it."""
    async with database.engine.connect() as connection:
        rows = await connection.execute(
            text("select invoice_no, sha256 from invoice i join document d on d.id = document_id")
        )
        return {row.invoice_no: row.sha256 for row in rows}


@contextlib.asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    database = Database.connect(settings)
    try:
        yield database
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def _shop(settings: Settings) -> AsyncIterator[Shop]:
    opened = Shop(settings, "bak")
    watching = asyncio.create_task(opened.watch())
    try:
        yield opened
    finally:
        watching.cancel()
        await opened.close()
