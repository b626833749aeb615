"""What keeps dunning away: disputes, blocks, insolvency."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from domain.calendar import local_date
from models.store import company
from models.store.dunning import blocks, disputes, insolvency
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Day, Input, Line, Name
from starter.api.services import Uses
from starter.api.shapes import money
from starter.services import Json, Services, now

router = APIRouter(prefix="/api")


class Reason(Input):
    """Why an invoice is disputed."""

    reason: Line


class Outcome(Input):
    """How a dispute ended."""

    outcome: Line


class Block(Input):
    """A block of a customer or one invoice; without a day it holds until it is lifted."""

    invoice: Line | None = None
    until: Day | None = None
    reason: Line


class Subject(Input):
    """Which block is lifted: the customer's, or that of one invoice."""

    invoice: Line | None = None


class Since(Input):
    """The day on which insolvency proceedings were opened."""

    since: Day


@router.get("/disputes")
async def list_disputes(services: Uses, _: Viewer) -> list[Json]:
    """Return the invoices that are disputed, oldest dispute first."""
    return await _read(services, [blocks.DISPUTE])


@router.post("/invoices/{invoice_no}/dispute")
async def open_dispute(invoice_no: Name, body: Reason, services: Uses, user: Finance) -> Json:
    """Let nobody be dunned for an invoice that the customer disputes."""
    at = now()
    async with services.database.transaction() as session:
        today = local_date(at, (await company.get(session)).time_zone)
        subject = await blocks.of_invoice(session, invoice_no)
        new = await disputes.open_dispute(
            session, subject, reason=body.reason, today=today, at=at, by=user.name
        )
    return {"invoice_no": invoice_no, "known": not new}


@router.post("/invoices/{invoice_no}/dispute/close")
async def close_dispute(invoice_no: Name, body: Outcome, services: Uses, user: Finance) -> Json:
    """Let dunning go on with what is still open of the invoice."""
    at = now()
    async with services.database.transaction() as session:
        today = local_date(at, (await company.get(session)).time_zone)
        subject = await blocks.of_invoice(session, invoice_no)
        new = await disputes.close_dispute(
            session, subject, outcome=body.outcome, today=today, at=at, by=user.name
        )
    return {"invoice_no": invoice_no, "known": not new}


@router.get("/blocks")
async def list_blocks(services: Uses, _: Viewer) -> list[Json]:
    """Return the blocks that hold today, insolvencies among them, oldest first."""
    return await _read(services, [blocks.BLOCK, blocks.INSOLVENCY])


@router.post("/customers/{customer_no}/block")
async def set_block(customer_no: Name, body: Block, services: Uses, user: Finance) -> Json:
    """Keep dunning away from a customer or one of its invoices."""
    at = now()
    async with services.database.transaction() as session:
        today = local_date(at, (await company.get(session)).time_zone)
        subject = await blocks.of_customer(session, customer_no, body.invoice)
        new = await blocks.block(
            session,
            subject,
            until=body.until,
            reason=body.reason,
            today=today,
            at=at,
            by=user.name,
        )
    return {"customer_no": customer_no, "invoice_no": body.invoice, "known": not new}


@router.post("/customers/{customer_no}/block/lift")
async def lift_block(customer_no: Name, body: Subject, services: Uses, user: Finance) -> Json:
    """Let dunning go on."""
    at = now()
    async with services.database.transaction() as session:
        today = local_date(at, (await company.get(session)).time_zone)
        subject = await blocks.of_customer(session, customer_no, body.invoice)
        new = await blocks.lift(session, subject, today=today, at=at, by=user.name)
    return {"customer_no": customer_no, "invoice_no": body.invoice, "known": not new}


@router.post("/customers/{customer_no}/insolvent")
async def note_insolvent(customer_no: Name, body: Since, services: Uses, user: Finance) -> Json:
    """Stop dunning for good; a task says what is to be filed."""
    at = now()
    async with services.database.transaction() as session:
        firm = await company.get(session)
        new = await insolvency.note_insolvent(
            session,
            customer_no,
            since=body.since,
            company=firm,
            today=local_date(at, firm.time_zone),
            at=at,
            by=user.name,
        )
    return {"customer_no": customer_no, "since": body.since, "known": not new}


@router.post("/customers/{customer_no}/solvent")
async def note_solvent(customer_no: Name, services: Uses, user: Finance) -> Json:
    """Take an insolvency back that is over or was a mistake."""
    at = now()
    async with services.database.transaction() as session:
        today = local_date(at, (await company.get(session)).time_zone)
        new = await insolvency.note_solvent(session, customer_no, today=today, at=at, by=user.name)
    return {"customer_no": customer_no, "known": not new}


async def _read(services: Services, kinds: list[str]) -> list[Json]:
    async with services.database.transaction() as session:
        today = local_date(now(), (await company.get(session)).time_zone)
        rows = await blocks.list_current(session, kinds, today)
    return [block_json(row) for row in rows]


def block_json(row: Mapping[Any, Any]) -> Json:
    """Show what keeps dunning away; the sum is what is open on the invoice."""
    return {
        "id": row["id"],
        "kind": row["kind"],
        "customer_no": row["customer_no"],
        "name": row["name"],
        "invoice_no": row["invoice_no"],
        "open": money(row["open_amount"], row["currency"]) if row["currency"] else None,
        "currency": row["currency"],
        "since": row["since"],
        "until": row["until"],
        "reason": row["reason"],
        "set_by": row["set_by"],
    }
