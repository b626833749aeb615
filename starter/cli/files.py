"""Writes a document that the API gave, byte for byte as it was stored."""

from __future__ import annotations

import hashlib
from pathlib import Path

from domain.errors import RefusedError
from starter.cli.client import Answer


def save_document(answer: Answer, to: Path, name: str) -> Path:
    """Write the document into a folder and return its path; another file there is left alone.

    ``name`` is what it is called if the API does not say.
    """
    if hashlib.sha256(answer.content).hexdigest() != answer.headers.get("x-content-sha256"):
        raise RefusedError("The document was damaged on its way; nothing was written.")
    to.mkdir(parents=True, exist_ok=True)
    path = to / _filename(answer, name)
    try:
        with path.open("xb") as file:
            file.write(answer.content)
    except FileExistsError:
        if path.read_bytes() != answer.content:
            raise RefusedError(
                f"{path} is another file; it was left as it is. Choose another folder."
            ) from None
    return path


def _filename(answer: Answer, number: str) -> str:
    """Return the stored name without any folder, whatever the header says."""
    named = answer.headers.get("content-disposition", "").partition('filename="')[2].rstrip('"')
    return Path(named).name or f"{Path(number).name}.pdf"
