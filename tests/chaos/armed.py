"""The worker, with a failpoint armed if one was left for it; the next start is without it again."""

from __future__ import annotations

import contextlib
import os
import runpy
from pathlib import Path

FILE = "run/failpoint"
VARIABLE = "ZAHLTAG_FAILPOINT"


def arm(data_dir: Path, failpoint: str) -> None:
    """Leave a failpoint for the next worker, such as ``after_commit:create_invoice:exit:2``."""
    (data_dir / FILE).write_text(failpoint, encoding="utf-8")


def main() -> None:
    """Take the failpoint, if there is one, and become the worker."""
    file = Path(os.environ["ZAHLTAG_DATA_DIR"]) / FILE
    with contextlib.suppress(FileNotFoundError):
        os.environ[VARIABLE] = file.read_text(encoding="utf-8")
        file.unlink()
    runpy.run_module("worker", run_name="__main__")


if __name__ == "__main__":
    main()
