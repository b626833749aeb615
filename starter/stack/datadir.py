"""The data directory: everything that one embedded stack keeps, its secrets among it.

It and its files belong to one user alone (0700, 0600). Secrets are made once and never change: the
database and the encrypted rows in it depend on them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from domain.errors import RefusedError
from starter.stack.postgres import Cluster, ClusterError, make_home, open_home

DEFAULT = Path(".zahltag")
LOG_LIMIT = 5 * 1024 * 1024
# Where the cluster of a stack run by root may lie: PostgreSQL's account cannot enter our directory.
OUTSIDE = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 - the directory made there is private

SECRETS: dict[str, Callable[[], str]] = {
    "postgres_password": lambda: secrets.token_hex(24),
    "api_token": lambda: secrets.token_urlsafe(32),
    "secret_key": lambda: urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "stack_id": lambda: secrets.token_hex(8),
}


@dataclass(frozen=True, slots=True)
class DataDir:
    """The paths of one data directory; none of them is made by asking for it."""

    path: Path

    @classmethod
    def at(cls, given: Path | None = None) -> DataDir:
        """``--data-dir``, else ``ZAHLTAG_DATA_DIR``, else ``.zahltag``; always absolute."""
        chosen = given or Path(os.environ.get("ZAHLTAG_DATA_DIR") or DEFAULT)
        return cls(chosen.expanduser().resolve())

    @property
    def run(self) -> Path:
        """What describes the running stack: locks, records, heartbeats."""
        return self.path / "run"

    @property
    def mailbox(self) -> Path:
        """The folder of accepted mails."""
        return self.path / "mailbox"

    @property
    def letters(self) -> Path:
        """The folder of letters to print."""
        return self.path / "letters"

    @property
    def temporal_file(self) -> Path:
        """Temporal's database."""
        return self.path / "temporal" / "temporal.db"

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.path / "logs" / f"{name}.log"

    def heartbeat(self, name: str) -> Path:
        """The life sign of one process."""
        return self.run / f"{name}.heartbeat"

    def create(self) -> None:
        """Make what is missing, private to this user, and the secrets with it."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not any(self.path.iterdir()):
                # A directory that holds other things keeps its mode: it may not be ours alone.
                self.path.chmod(0o700)
            for directory in (self.run, *self._folders()):
                directory.mkdir(mode=0o700, exist_ok=True)
            for name, make in SECRETS.items():
                if not self._secret(name).exists():
                    write_whole(self._secret(name), make())
        except OSError as error:
            raise RefusedError(
                f"The data directory {self.path} cannot be used ({error.strerror}): "
                "name another one with --data-dir."
            ) from error

    def secret(self, name: str) -> str:
        """One of the secrets; empty before the first start."""
        try:
            return self._secret(name).read_text(encoding="ascii")
        except FileNotFoundError:
            return ""

    def keep_secret(self, name: str, text: str) -> None:
        """Keep one more secret, or another value of it; those made at the start never change."""
        if name in SECRETS:
            raise ValueError(f"{name} is made once")
        write_whole(self._secret(name), text)

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of ours; empty if it is not there (files appear whole or not at all)."""
        try:
            found = json.loads((self.path / name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Replace a JSON file of ours in one step."""
        write_whole(self.path / name, json.dumps(content, indent=1))

    def cluster(self, *, fsync: bool = True, create: bool = False) -> Cluster:
        """Where PostgreSQL's cluster lies: here, or where the pointer file says."""
        pointer = self.path / "postgres.home"
        if pointer.exists():
            home = Path(pointer.read_text(encoding="utf-8"))
            if create and not home.exists():
                raise ClusterError(
                    f"The database directory {home} named by {pointer} is gone: bring it back, or "
                    "remove the data directory to begin anew."
                )
            return open_home(home, fsync=fsync) if home.exists() else Cluster(home)
        inside = self.path / "postgres"
        if inside.exists():
            return open_home(inside, fsync=fsync)
        if not create:
            return Cluster(inside)
        return self._outside(pointer, fsync=fsync) if os.geteuid() == 0 else make_home(inside)

    def lock(self, patience: float = 0) -> IO[bytes] | None:
        """Take the stack for ourselves; ``None`` while a supervisor (or ``down``) has it."""
        file = _private(self.run / "supervisor.lock")
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    file.close()
                    return None
                time.sleep(0.05)
            else:
                return file

    def open_log(self, name: str) -> IO[bytes]:
        """Open a log for a process that starts now; one that has grown large makes room."""
        path = self.log(name)
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        return _private(path)

    def _folders(self) -> list[Path]:
        return [self.path / name for name in ("letters", "logs", "mailbox", "secrets", "temporal")]

    def _secret(self, name: str) -> Path:
        return self.path / "secrets" / name

    def _outside(self, pointer: Path, *, fsync: bool) -> Cluster:
        """Make a home outside; its name is ours alone, as a directory may be made anew."""
        own = hashlib.sha256(f"{self.path}\n{self.secret('stack_id')}".encode()).hexdigest()[:16]
        for base in OUTSIDE:
            try:
                cluster = make_home(base / f"zahltag-{own}", fsync=fsync)
            except (OSError, ClusterError):
                continue
            write_whole(pointer, str(cluster.home))
            return cluster
        raise ClusterError(
            "PostgreSQL does not run as root, and no directory of "
            f"{' or '.join(map(str, OUTSIDE))} can be used by another account: "
            "start Zahltag as an ordinary user."
        )


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab")


def write_whole(path: Path, text: str) -> None:
    """Write a private file so that it is there whole or not at all, after a crash too."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
