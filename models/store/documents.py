"""Files as they went out: stored with their hash, the same bytes for ever."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from models.tables import Document


async def add(
    session: AsyncSession,
    *,
    kind: str,
    filename: str,
    media_type: str,
    content: bytes,
    at: datetime,
) -> int:
    """Store a file and return its id."""
    row = Document(
        kind=kind,
        filename=filename,
        media_type=media_type,
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
        created_at=at,
    )
    session.add(row)
    await session.flush()
    if row.id is None:  # pragma: no cover - the flush gave it one
        raise RuntimeError("the document has no id")
    return row.id


async def get(session: AsyncSession, document_id: int | None) -> Document:
    """Return a file; NotFoundError if there is none, as for an imported invoice."""
    if document_id is None:
        raise NotFoundError("There is no document: the invoice was imported without one.")
    row = await session.get(Document, document_id)
    if row is None:
        raise NotFoundError(f"There is no document {document_id}.")
    return row
