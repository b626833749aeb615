"""Payments: what came in, what it settled, and recording one by hand."""

from __future__ import annotations

from decimal import Decimal

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from models.store import payments
from models.tables import Payment
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Input, Key, Line
from starter.api.services import Uses
from starter.api.shapes import money
from starter.payment_checks import Entry
from starter.receipts import record
from starter.services import Json, now

router = APIRouter(prefix="/api/payments")


class Recorded(Input):
    """Money that a person saw arrive. Amounts and dates are text, as everywhere."""

    invoice_no: Line
    amount: Line
    currency: Line
    reference: Line
    date: Line | None = None


@router.get("")
async def list_payments(services: Uses, _: Viewer) -> list[Json]:
    """Return all payments with what they settled, oldest first."""
    async with services.database.transaction() as session:
        rows = await payments.list_all(session)
        settled = await payments.allocations(session)
    return [_payment(row, settled.get(row.id or 0, [])) for row in rows]


@router.get("/{payment_id}")
async def show_payment(payment_id: Key, services: Uses, _: Viewer) -> Json:
    """Return one payment."""
    async with services.database.transaction() as session:
        row = await payments.get(session, payment_id)
        settled = await payments.allocations(session)
    return _payment(row, settled.get(payment_id, []))


@router.post("")
async def record_payment(body: Recorded, services: Uses, user: Finance) -> JSONResponse:
    """Book a payment: 201, or 200 if exactly this one is known."""
    payment, new = await record(
        services.database, Entry(**body.model_dump()), at=now(), by=user.name
    )
    said = {"id": payment.id, "case_id": payment.case_id, "known": not new}
    return JSONResponse(said, 201 if new else 200)


def _payment(row: Payment, settled: list[tuple[str, Decimal]]) -> Json:
    return {
        "id": row.id,
        "provider": row.provider,
        "transaction_id": row.transaction_id,
        "reference": row.reference or row.transaction_id,
        "amount": money(row.amount, row.currency),
        "currency": row.currency,
        "date": row.valid_on,
        "invoice_no": row.invoice_no or (settled[0][0] if settled else None),
        "unallocated": money(row.unallocated, row.currency),
        "allocations": [
            {"invoice_no": number, "amount": money(amount, row.currency)}
            for number, amount in settled
        ],
        "case_id": row.case_id,
    }
