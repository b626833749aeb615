"""How values look in answers: money as decimal strings, stored files as they are."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from fastapi import Response

from domain.money import minor_units, round_amount
from models.tables import Document


def money(amount: Decimal | None, currency: str) -> str | None:
    """Write an amount: ``"119.00"`` in EUR, ``"119"`` in JPY; None stays None."""
    if amount is None:
        return None
    return f"{round_amount(amount, currency):.{minor_units(currency)}f}"


def age(since: datetime, at: datetime) -> str:
    """Say how long ago something was: in hours on the first two days, then in days."""
    hours = max(int((at - since).total_seconds() // 3600), 0)
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"


def file_of(document: Document) -> Response:
    """Answer with a stored file, byte for byte; X-Content-SHA256 bears its stored hash."""
    return Response(
        document.content,
        media_type=document.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{document.filename}"',
            "X-Content-SHA256": document.sha256,
        },
    )
