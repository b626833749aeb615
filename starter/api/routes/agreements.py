"""What people agree with debtors: promises to pay and plans of instalments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from fastapi import APIRouter
from pydantic import Field

from domain.calendar import local_date
from models.store import company
from models.store.dunning import agreements, plans, promises
from models.store.dunning.agreements import Agreement
from models.store.dunning.plans import PlanRequest
from models.store.dunning.promises import Promise
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Currency, Day, Input, Line, Name, Sum
from starter.api.services import Uses
from starter.api.shapes import money
from starter.services import Json, now

router = APIRouter(prefix="/api")


class PromiseBody(Input):
    """A day on which a customer promised to pay; without a sum, all that is due by then."""

    date: Day
    amount: Sum | None = None
    currency: Currency | None = None


class Withdrawal(Input):
    """Which promise is withdrawn; none named: the open one."""

    id: int | None = Field(None, ge=1, le=2**62)


class Plan(Input):
    """Instalments; without a total, all that is owed."""

    total: Sum | None = None
    currency: Currency | None = None
    count: int = Field(ge=2, le=60)
    first: Day
    every: Line


class Cancellation(Input):
    """Why a plan ends."""

    reason: Line


@router.get("/promises")
async def list_promises(services: Uses, _: Viewer) -> list[Json]:
    """Return every agreed date, open ones first, then by date."""
    async with services.database.transaction() as session:
        today = local_date(now(), (await company.get(session)).time_zone)
        rows = await agreements.list_dates(session)
    return [_date(row, today) for row in rows]


@router.post("/customers/{customer_no}/promises")
async def add_promise(customer_no: Name, body: PromiseBody, services: Uses, user: Finance) -> Json:
    """Record a promise; it replaces the one that is open, and exactly the same is known."""
    at = now()
    async with services.database.transaction() as session:
        firm = await company.get(session)
        new = await promises.add(
            session,
            customer_no,
            Promise(body.date, body.amount, body.currency),
            firm,
            today=local_date(at, firm.time_zone),
            at=at,
            by=user.name,
        )
        made = await promises.show(session, customer_no)
    return {
        "id": made.dates[0].id,
        "customer_no": customer_no,
        "date": body.date,
        "amount": money(made.row.total, made.row.currency),
        "currency": made.row.currency,
        "known": not new,
    }


@router.post("/customers/{customer_no}/promises/remove")
async def remove_promise(
    customer_no: Name, body: Withdrawal, services: Uses, user: Finance
) -> Json:
    """Withdraw the customer's open promise."""
    async with services.database.transaction() as session:
        new = await promises.remove(session, customer_no, body.id, at=now(), by=user.name)
    return {"customer_no": customer_no, "known": not new}


@router.post("/customers/{customer_no}/instalments")
async def create_plan(customer_no: Name, body: Plan, services: Uses, user: Finance) -> Json:
    """Agree on instalments; exactly the same plan again is known."""
    at = now()
    async with services.database.transaction() as session:
        firm = await company.get(session)
        new = await plans.create(
            session,
            customer_no,
            PlanRequest(
                count=body.count,
                first=body.first,
                every=plans.every(body.every),
                total=body.total,
                currency=body.currency,
            ),
            firm,
            today=local_date(at, firm.time_zone),
            at=at,
            by=user.name,
        )
        plan = await plans.show(session, customer_no)
    return {**plan_json(plan, customer_no), "known": not new}


@router.get("/customers/{customer_no}/instalments")
async def show_plan(customer_no: Name, services: Uses, _: Viewer) -> Json:
    """Return the open plan, else the last one."""
    async with services.database.transaction() as session:
        return plan_json(await plans.show(session, customer_no), customer_no)


@router.post("/customers/{customer_no}/instalments/cancel")
async def cancel_plan(customer_no: Name, body: Cancellation, services: Uses, user: Finance) -> Json:
    """End the open plan; what was paid stays paid, what is open is due as before."""
    async with services.database.transaction() as session:
        new = await plans.cancel(session, customer_no, reason=body.reason, at=now(), by=user.name)
    return {"customer_no": customer_no, "known": not new}


def plan_summary(plan: Agreement) -> Json:
    """Say in short how far a plan is."""
    row, currency = plan.row, plan.row.currency
    still = [one for one in plan.dates if one.status == "open"]
    return {
        "status": {"": "open", "withdrawn": "cancelled"}.get(row.ended_as, row.ended_as),
        "total": money(row.total, currency),
        "left": money(sum((one.amount or Decimal(0) for one in still), Decimal(0)), currency),
        "currency": currency,
        "every": row.every,
        "next_date": still[0].due_date if still else None,
    }


def plan_json(plan: Agreement, customer_no: str) -> Json:
    """Show a plan with its instalments."""
    row = plan.row
    return {
        "id": row.id,
        "customer_no": customer_no,
        **plan_summary(plan),
        "agreed_at": row.agreed_at,
        "agreed_by": row.agreed_by,
        "reason": row.reason or None,
        "instalments": [
            {
                "number": one.number,
                "date": one.due_date,
                "amount": money(one.amount, row.currency),
                "status": one.status,
                "settled_at": one.settled_at,
            }
            for one in plan.dates
        ],
    }


def _date(row: Mapping[Any, Any], today: date) -> Json:
    late = row["status"] == "open" and row["due_date"] < today
    return {
        "id": row["id"],
        "customer_no": row["customer_no"],
        "name": row["name"],
        "kind": row["kind"],
        "date": row["due_date"],
        "amount": money(row["amount"], row["currency"]),
        "currency": row["currency"],
        "status": row["status"],
        "overdue_days": (today - row["due_date"]).days if late else 0,
        "agreed_at": row["agreed_at"],
        "agreed_by": row["agreed_by"],
        "settled_at": row["settled_at"],
    }
