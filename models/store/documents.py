"""Files as they went out: stored with their hash, the same bytes for ever."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from models.store.sql import Statement
from models.tables import Document

PDF = "application/pdf"

_KEEP = Statement("""
insert into document (kind, filename, media_type, sha256, content, created_at)
values (:kind, :filename, :media_type, :sha256, :content, :at) returning id
""")
_SAME = Statement("select exists (select from document where id = :id and sha256 = :sha256)")


async def keep(
    session: AsyncSession,
    *,
    kind: str,
    filename: str,
    content: bytes,
    at: datetime,
    known: int | None = None,
) -> int:
    """Store a PDF that goes out, and return its id.

    ``known`` is what an earlier attempt stored: with the same bytes it is that one.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if known is not None and await _SAME.value(session, id=known, sha256=sha256):
        return known
    document_id: int = await _KEEP.value(
        session,
        kind=kind,
        filename=filename,
        media_type=PDF,
        sha256=sha256,
        content=content,
        at=at,
    )
    return document_id


async def get(session: AsyncSession, document_id: int | None) -> Document:
    """Return a file; NotFoundError if there is none, as for an imported invoice."""
    if document_id is None:
        raise NotFoundError("There is no document: the invoice was imported without one.")
    row = await session.get(Document, document_id)
    if row is None:
        raise NotFoundError(f"There is no document {document_id}.")
    return row
