"""Puts a letter into a spool and dies before its n-th step on disk, for every n there is.

``python -m tests.connectors.dying_spool DIR`` leaves one spool per moment: DIR/000, DIR/001, ...
Every other death in a write leaves half of what was to be written.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.letter_spool import LetterSpool
from connectors.letters import Letter

STEPS = ("open", "write", "fsync", "replace", "close")
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def letter(reference: str = "M-1", pdf: bytes = b"%PDF-1.7 a letter") -> Letter:
    """Return a letter."""
    lines = ("Brandt & Söhne KG", "Adenauerallee 112", "53113 Bonn")
    return Letter(reference, pdf, lines, "DE", 1, NOW)


def send(folder: Path, one: Letter) -> None:
    """Put it into the spool."""
    asyncio.run(LetterSpool(folder).send(one))


def _die_at(moment: int) -> None:
    passed = 0

    def dying(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def act(*args: Any, **more: Any) -> Any:
            nonlocal passed
            passed += 1
            if passed > moment:
                if name == "write" and moment % 2:
                    step(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return step(*args, **more)

        return act

    for name in STEPS:
        setattr(os, name, dying(name, getattr(os, name)))


def main(root: Path) -> None:
    """Go through the moments until one is after the end."""
    for moment in range(1000):
        folder = root / f"{moment:03d}"
        folder.mkdir()
        send(folder, letter("M-0"))  # so that the manifest holds a line already
        child = os.fork()
        if not child:
            spool = LetterSpool(folder)
            _die_at(moment)
            spool._send(letter())
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return
    raise AssertionError("it never ends")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
