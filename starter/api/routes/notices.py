"""Notices (Mahnschreiben): what was proposed, sent or dropped, and the document that went out."""

from __future__ import annotations

from fastapi import APIRouter, Response

from domain.errors import NotFoundError
from models.store import customers, documents
from models.store.dunning import notice_lists
from models.store.sql import Row
from starter import notices
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Input, Key, Line
from starter.api.services import Uses
from starter.api.shapes import file_of, money
from starter.services import Json, now

router = APIRouter(prefix="/api/notices")


class Wanted(Input):
    """Whom to remind, and whether it counts as a step of the ladder (Mahnstufe erhoehen)."""

    customer_no: Line
    raise_level: bool = False


@router.get("")
async def list_notices(services: Uses, _: Viewer, customer: Line | None = None) -> list[Json]:
    """Return all notices, or those to one customer, oldest first."""
    async with services.database.transaction() as session:
        if customer is not None:
            await customers.get(session, customer)  # a wrong number is not the same as no notice
        return [_notice(row) for row in await notice_lists.list_all(session, customer)]


@router.post("")
async def ask_for_notice(body: Wanted, services: Uses, user: Finance) -> Json:
    """Propose a notice; another person approves it."""
    async with services.database.transaction() as session:
        notice_id, new = await notices.ask_for(
            session, body.customer_no, raise_level=body.raise_level, at=now(), by=user.name
        )
        row = await notice_lists.show(session, notice_id)
    return {**_notice(row), "known": not new}


@router.get("/{notice_id}")
async def show_notice(notice_id: Key, services: Uses, _: Viewer) -> Json:
    """Return one notice with its invoices."""
    async with services.database.transaction() as session:
        row = await notice_lists.show(session, notice_id)
        items = await notice_lists.items_of(session, notice_id)
    return {
        **_notice(row),
        "items": [
            {
                "invoice_no": item["invoice_no"],
                "due_date": item["due_date"],
                "proposed_amount": money(item["proposed_amount"], item["currency"]),
                "amount": money(item["rendered_amount"], item["currency"]),
                "currency": item["currency"],
                "notices_before": item["notices_before"],
            }
            for item in items
        ],
    }


@router.get("/{notice_id}/document")
async def export_notice(notice_id: Key, services: Uses, _: Viewer) -> Response:
    """Return the notice byte for byte as it went out."""
    async with services.database.transaction() as session:
        row = await notice_lists.show(session, notice_id)
        if row["document_id"] is None:
            raise NotFoundError(f"Notice {notice_id} has no document: it has not gone out.")
        document = await documents.get(session, row["document_id"])
    return file_of(document)


def _notice(row: Row) -> Json:
    currency = row["currency"]
    return {
        "id": row["id"],
        "customer_no": row["customer_no"],
        "status": row["status"],
        "level": row["level"],
        "raises_level": row["raises_level"],
        "channel": row["channel"],
        "template": row["template"],
        "registered_mail": row["registered_mail"],
        "amount": money(row["rendered_amount"] or row["amount"], currency),
        "proposed_amount": money(row["amount"], currency),
        "currency": currency,
        "why": row["why"],
        "rule": row["rule"] or None,
        "rule_version": row["rule_version"],
        "proposed_at": row["proposed_at"],
        "proposed_by": row["proposed_by"] or None,
        "approval_id": row["approval_id"],
        "decided_by": row["decided_by"] or None,
        "reason": row["reason"] or None,
        "not_before": row["not_before"],
        "sent_at": row["sent_at"],
        "document": row["document"],
    }
