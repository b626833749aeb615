"""The command line: fast help, and one plain sentence instead of a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one command."""
    return subprocess.run(
        [sys.executable, *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_loads_nothing_slow() -> None:
    """``--help`` needs neither Temporal nor the database's packages."""
    slow = "{'temporalio', 'sqlmodel', 'sqlalchemy', 'alembic', 'asyncpg'}"
    done = run("-c", f"import sys, starter.cli.stack; sys.exit(len({slow} & set(sys.modules)))")
    assert done.returncode == 0
    shown = run("-m", "starter.cli", "--help")
    assert shown.returncode == 0
    for command in ("up", "down", "status", "doctor", "migrate"):
        assert command in shown.stdout


@pytest.mark.parametrize("words", [["migrate"], ["--data-dir", "/dev/null/x", "up", "--detach"]])
def test_what_is_refused_is_one_sentence(words: list[str], tmp_path: Path) -> None:
    """Nothing to migrate, and a data directory that cannot be: exit 1, no traceback."""
    done = run("-m", "starter.cli", *words, ZAHLTAG_DATA_DIR=str(tmp_path / "none"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_a_database_elsewhere_that_is_away_is_named(tmp_path: Path) -> None:
    """With servers elsewhere the commands use the settings alone."""
    url = "postgresql://u:p@127.0.0.1:1/x"
    words = ("-m", "starter.cli", "--data-dir", str(tmp_path))
    done = run(*words, "migrate", ZAHLTAG_DATABASE_URL=url)
    assert done.returncode == 1
    assert "ZAHLTAG_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
    examined = run(
        *words, "doctor", ZAHLTAG_DATABASE_URL=url, ZAHLTAG_TEMPORAL_ADDRESS="127.0.0.1:1"
    )
    assert examined.returncode == 1
    assert "BAD  database" in examined.stdout
    assert "BAD  temporal" in examined.stdout
    assert "Traceback" not in examined.stderr


LEAVING = """
import sys
from starter.cli.leaving import run_and_leave
{sdk}
def command():
    print("said", end="")
    print("warned", end="", file=sys.stderr)
    {ending}
run_and_leave(command)
"""


@pytest.mark.parametrize("sdk", ["", "import temporalio.bridge.temporal_sdk_bridge"])
@pytest.mark.parametrize(
    ("ending", "code"),
    [("pass", 0), ("sys.exit()", 0), ("sys.exit(3)", 3), ("1 / 0", 1)],
)
def test_a_command_ends_with_its_exit_code_whoever_still_runs(
    sdk: str, ending: str, code: int
) -> None:
    """With Temporal's threads in the process too: nothing that was printed is lost."""
    done = run("-c", LEAVING.format(sdk=sdk, ending=ending))

    assert done.returncode == code
    assert done.stdout == "said"
    assert done.stderr.startswith("warned")
    assert ("ZeroDivisionError" in done.stderr) is (ending == "1 / 0")
