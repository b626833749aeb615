"""The journal, and the proof that the books are whole."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query

from domain.errors import RefusedError
from models.store import audit, customers, invoices, ledger
from models.tables import JournalEntry, Posting
from starter.api.auth import Viewer
from starter.api.services import Uses
from starter.api.shapes import money
from starter.services import Json

router = APIRouter(prefix="/api")


@router.get("/ledger")
async def show_ledger(
    services: Uses,
    _: Viewer,
    customer: Annotated[str | None, Query(max_length=200)] = None,
    invoice: Annotated[str | None, Query(max_length=200)] = None,
) -> Json:
    """Return the postings of one customer or one invoice, and what each account comes to."""
    if (customer is None) == (invoice is None):
        raise RefusedError("Name either a customer or an invoice.")
    async with services.database.transaction() as session:
        customer_id = (await customers.get(session, customer)).id if customer is not None else None
        invoice_id = (await invoices.get(session, invoice)).id if invoice is not None else None
        rows = await ledger.postings(session, customer_id=customer_id, invoice_id=invoice_id)
    return {
        "customer_no": customer,
        "invoice_no": invoice,
        "entries": list(_entries(rows)),
        "balances": _balances(posting for _, posting in rows),
    }


@router.get("/audit")
async def verify(services: Uses, _: Viewer) -> Json:
    """Run every check of the books; ``ok`` if all of them hold."""
    async with services.database.transaction() as session:
        checks = await audit.verify(session)
    return {
        "ok": all(check.ok for check in checks),
        "checks": [
            {"name": check.name, "ok": check.ok, "findings": list(check.findings)}
            for check in checks
        ],
    }


def _entries(rows: Iterable[tuple[JournalEntry, Posting]]) -> Iterable[Json]:
    found: dict[int, Json] = {}
    for entry, posting in rows:
        shown = found.setdefault(
            entry.id or 0,
            {
                "id": entry.id,
                "kind": entry.kind,
                "valid_on": entry.valid_on,
                "known_at": entry.known_at,
                "case_id": entry.case_id,
                "description": entry.description,
                "postings": [],
            },
        )
        shown["postings"].append(
            {
                "account": posting.account,
                "amount": money(posting.amount, posting.currency),
                "currency": posting.currency,
                "tax_rate": None if posting.tax_rate is None else f"{posting.tax_rate:f}",
                "payment_id": posting.payment_id,
            }
        )
    return found.values()


def _balances(postings: Iterable[Posting]) -> list[Json]:
    sums: dict[tuple[str, str], Decimal] = {}
    for posting in postings:
        place = posting.account, posting.currency
        sums[place] = sums.get(place, Decimal(0)) + posting.amount
    return [
        {"account": account, "currency": currency, "balance": money(balance, currency)}
        for (account, currency), balance in sorted(sums.items())
    ]
