"""Files as they went out: stored with their hash, the same bytes for ever."""

from __future__ import annotations

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import NotFoundError
from models.tables import Document


async def get(session: AsyncSession, document_id: int | None) -> Document:
    """Return a file; NotFoundError if there is none, as for an imported invoice."""
    if document_id is None:
        raise NotFoundError("There is no document: the invoice was imported without one.")
    row = await session.get(Document, document_id)
    if row is None:
        raise NotFoundError(f"There is no document {document_id}.")
    return row
