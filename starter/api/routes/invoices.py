"""Invoices: figures, lines, and the document byte for byte as it was stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter, Response

from domain.calendar import local_date
from domain.invoice import DocumentType
from models.store import company, documents, invoices, views
from starter.api.auth import Viewer
from starter.api.inputs import Name
from starter.api.services import Uses
from starter.api.shapes import file_of, money
from starter.services import Json, now

router = APIRouter(prefix="/api/invoices")

IMPORTED = "imported"


@router.get("")
async def list_invoices(services: Uses, _: Viewer) -> list[Json]:
    """Return all invoices in the order in which they were made."""
    async with services.database.transaction() as session:
        today = local_date(now(), (await company.get(session)).time_zone)
        rows = await views.invoices(session)
    return [_figures(row, today) for row in rows]


@router.get("/{invoice_no}")
async def show_invoice(invoice_no: Name, services: Uses, _: Viewer) -> Json:
    """Return one invoice as it was issued, what is open on it now, and its document's hash."""
    async with services.database.transaction() as session:
        invoice = await invoices.get(session, invoice_no)
        today = local_date(now(), (await company.get(session)).time_zone)
        (row,) = await views.invoices(session, invoice_no)
        if invoice.type == IMPORTED:
            return {**_figures(row, today), "document": None}
        document = await documents.get(session, invoice.document_id)
    content = invoice.content
    return {
        **_figures(row, today),
        "buyer": content["buyer"],
        "order_reference": content["order_reference"],
        "supply_date": content["supply_date"],
        "lines": content["lines"],
        "allowances": content["allowances"],
        "taxes": content["taxes"],
        "totals": content["totals"],
        "sample": content["sample"],
        "document": {
            "filename": document.filename,
            "media_type": document.media_type,
            "sha256": document.sha256,
            "size": len(document.content),
        },
    }


@router.get("/{invoice_no}/document")
async def export_invoice(invoice_no: Name, services: Uses, _: Viewer) -> Response:
    """Return the stored bytes; the header X-Content-SHA256 bears their stored hash."""
    async with services.database.transaction() as session:
        invoice = await invoices.get(session, invoice_no)
        document = await documents.get(session, invoice.document_id)
    return file_of(document)


def _figures(row: Mapping[Any, Any], today: date) -> Json:
    currency = row["currency"]
    return {
        "id": row["id"],
        "invoice_no": row["invoice_no"],
        "type": row["type"],
        "case_id": row["case_id"],
        "customer_no": row["customer_no"],
        "issue_date": row["issue_date"],
        "due_date": row["due_date"],
        "currency": currency,
        "net": money(row["net"], currency),
        "tax": money(row["tax"], currency),
        "total": money(row["charged"], currency),
        "open": money(row["open_amount"], currency),
        "status": _status(row, today),
    }


def _status(row: Mapping[Any, Any], today: date) -> str:
    if row["type"] == DocumentType.CANCELLATION:
        return "cancellation"
    for ended in ("cancelled", "written_off"):
        if row[ended]:
            return ended
    if row["open_amount"] <= 0:
        return "paid"
    if row["due_date"] < today:
        return "overdue"
    return "open" if row["open_amount"] == row["charged"] else "partially_paid"
