"""Customers: what they owe, since when, and what comes next with them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from domain.calendar import local_date
from domain.errors import NotFoundError
from models.store import company, customers, views
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Input, Name
from starter.api.services import Json, Services, Uses, now
from starter.api.shapes import money

router = APIRouter(prefix="/api/customers")


class Terms(Input):
    """What a person may change of a customer."""

    terms_days: int | None = Field(ge=0, le=120)


@router.get("")
async def list_customers(services: Uses, _: Viewer) -> list[Json]:
    """Return all customers."""
    return await _read(services)


@router.get("/{customer_no}")
async def show_customer(customer_no: Name, services: Uses, _: Viewer) -> Json:
    """Return one customer."""
    found = await _read(services, customer_no)
    if not found:
        raise NotFoundError(f"There is no customer {customer_no}.")
    return found[0]


@router.post("/{customer_no}")
async def edit_customer(customer_no: Name, body: Terms, services: Uses, _: Finance) -> Json:
    """Agree payment terms of its own with a customer; none: the company's hold again (F1)."""
    async with services.database.transaction() as session:
        await customers.set_terms(session, customer_no, body.terms_days)
    return (await _read(services, customer_no))[0]


async def _read(services: Services, customer_no: str | None = None) -> list[Json]:
    async with services.database.transaction() as session:
        firm = await company.get(session)
        today = local_date(now(), firm.time_zone)
        rows = await views.customers(session, today, customer_no)
    return [_customer(row, firm.currency) for row in rows]


def _customer(row: Mapping[Any, Any], currency: str) -> Json:
    """Nobody is dunned, blocked or promised anything before dunning exists: those say so."""
    debts = {code: money(Decimal(sum_), code) for code, sum_ in row["debts"].items()}
    late = {code: money(Decimal(sum_), code) for code, sum_ in row["overdue"].items()}
    nothing = money(Decimal(0), currency)
    return {
        "id": row["id"],
        "customer_no": row["customer_no"],
        "name": row["name"],
        "kind": row["kind"],
        "email": row["email"],
        "language": row["language"],
        "terms_days": row["terms_days"],
        "level": 0,
        "notices_count": 0,
        "currency": currency,
        "debt": debts.get(currency, nothing),
        "overdue": late.get(currency, nothing),
        "debts": debts,
        "oldest_overdue_days": row["oldest_overdue_days"],
        "problematic": False,
        "blocked": False,
        "promise": None,
        "manager": None,
        "next_step": row["next_step"] or "nothing",
        "why": row["why"] or "no case is open",
    }
