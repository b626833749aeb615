"""As whom PostgreSQL runs: it refuses root, so root lends it an unprivileged account."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT_NAME = "zahltag"


class _Lowered(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """A user and group of this machine; ``None`` for both means: as we are."""

    uid: int | None = None
    gid: int | None = None

    @property
    def lowered(self) -> _Lowered:
        """The arguments of ``Popen`` that give the child this account and nothing else."""
        if self.uid is None or self.gid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give the path to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def unprivileged() -> Account:
    """Ourselves if we are not root; else a system account of ours, else ``nobody``."""
    if os.geteuid() != 0:
        return Account()
    for name in (ACCOUNT_NAME, "nobody"):
        entry = _entry(name) or (_create() if name == ACCOUNT_NAME else None)
        if entry and entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    return Account(65534, 65534)


def owner_of(path: Path) -> Account:
    """Whoever owns the path; ourselves if it is ours."""
    found = path.stat()
    return Account() if found.st_uid == os.geteuid() else Account(found.st_uid, found.st_gid)


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create() -> pwd.struct_passwd | None:
    """Make the account; another stack may be doing the same, so what counts is that it is there."""
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        options = ["--system", "--no-create-home", "--home-dir", "/nonexistent"]
        subprocess.run(
            [useradd, *options, "--shell", "/usr/sbin/nologin", "--user-group", ACCOUNT_NAME],
            check=False,
            capture_output=True,
            timeout=30,
        )
    return _entry(ACCOUNT_NAME)
