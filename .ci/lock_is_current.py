"""Check that requirements.lock is what pyproject.toml resolves to; --write makes it so.

The lock holds exact versions and hashes for every supported Python and platform and names no
registry. Versions already in it are kept, so a release somewhere else changes nothing here.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

LOCK = Path("requirements.lock")
COMMAND = [
    "uv", "pip", "compile", "pyproject.toml", "--group", "dev", "--universal",
    "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header",
    "--no-emit-index-url", "--no-emit-find-links", "--quiet",
]  # fmt: skip


def main() -> int:
    """Compare, or write; return the exit code."""
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / LOCK.name
        if LOCK.exists():
            shutil.copy(LOCK, fresh)
        subprocess.run([uv, *COMMAND[1:], "--output-file", fresh], check=True)
        if "--write" in sys.argv:
            shutil.copy(fresh, LOCK)
            return 0
        if fresh.read_text() != LOCK.read_text():
            print("requirements.lock is not what pyproject.toml asks for: run `make lock`.")  # noqa: T201
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
