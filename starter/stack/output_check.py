"""The doctor's look at what letters and notices need: the print spool and the user's own texts."""

from __future__ import annotations

import asyncio
import os

from models.settings import Settings
from starter.stack.checks import Check


async def check_output(settings: Settings) -> list[Check]:
    """Whether letters can be put down, and notices be worded."""
    return await asyncio.to_thread(_look, settings)


def _look(settings: Settings) -> list[Check]:
    from documents.notice_check import check_templates  # noqa: PLC0415 - slow to import

    folder = settings.letter_spool_dir
    usable = folder is not None and folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    problems = check_templates(settings.templates_dir)
    return [
        Check(
            "letters",
            # A company that sends no letters needs no folder.
            folder is None or usable,
            "no folder for letters is set"
            if folder is None
            else f"the letter spool {folder} {'can' if usable else 'cannot'} be written",
            "make or mount the folder, or correct ZAHLTAG_LETTER_SPOOL_DIR; letters wait for it",
        ),
        Check(
            "templates",
            not problems,
            "; ".join(map(str, problems[:5])) or "the texts of notices can be used",
            "mend the files (`zahltag template check`); notices of these texts wait until then",
        ),
    ]
