"""Customers: what they owe, since when, and what comes next with them."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field

from domain.calendar import local_date
from domain.dunning.case import WaitingFor
from domain.dunning.filters import LONGEST
from domain.errors import NotFoundError, RefusedError
from domain.money import parse_decimal
from models.store import company, customers, history, views
from models.store.dunning import accounts, agreements, blocks, calls, debtors
from models.store.dunning.accounts import Outlook
from models.store.dunning.telling import case_id_of, tell
from starter.api.auth import Finance, Viewer
from starter.api.inputs import Input, Line, Name
from starter.api.routes.agreements import plan_summary
from starter.api.services import Uses
from starter.api.shapes import money
from starter.services import Json, Services, now

router = APIRouter(prefix="/api/customers")


class Change(Input):
    """What a person may change of a customer; what is left out stays."""

    terms_days: int | None = Field(None, ge=0, le=120)
    problematic: bool = False
    preferred_contact: Literal["phone", "post", "email", "any"] = "any"
    credit_limit: Line | None = None
    manager: Line | None = None
    custom_fields: dict[Literal["1", "2", "3", "4", "5", "6", "7"], str] = Field(
        default_factory=dict
    )


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
    return {**found[0], **await _agreed(services, customer_no)}


@router.post("/{customer_no}")
async def edit_customer(customer_no: Name, body: Change, services: Uses, user: Finance) -> Json:
    """Change what dunning and invoices go by; empty terms: the company's hold again (F1)."""
    changes = _changes(body)
    async with services.database.transaction() as session:
        customer = await customers.locked(session, customer_no)
        changed = await debtors.put(session, customer.id or 0, changes, now())
        if "terms_days" in body.model_fields_set and body.terms_days != customer.terms_days:
            await customers.set_terms(session, customer_no, body.terms_days)
            changed.append("terms_days")
        if changed:
            case, said = case_id_of(customer_no), f"Changed: {', '.join(changed)}"
            history.note(session, case, now(), "customer_changed", said, user.name)
            await tell(session, customer.id or 0, now(), f"customer-{now().isoformat()}")
    return (await _read(services, customer_no))[0]


def _changes(body: Change) -> dict[str, Any]:
    """Return the columns to change; RefusedError for what none of them takes."""
    given = body.model_dump(exclude_unset=True, exclude={"terms_days", "custom_fields"})
    if given.get("credit_limit") is not None:
        try:
            given["credit_limit"] = parse_decimal(given["credit_limit"])
            money_fits = 0 <= given["credit_limit"] < 10**12
        except ValueError:
            money_fits = False
        if not money_fits:
            raise RefusedError("The credit limit was not set: give a sum such as 5000.00.")
    given |= {"manager": given["manager"] or ""} if "manager" in given else {}
    for number, value in body.custom_fields.items():
        if len(value) > LONGEST or not value.isprintable():
            raise RefusedError(
                f"Custom field {number} was not set: it takes one line of at most {LONGEST}"
                " characters."
            )
        given[f"custom_field_{number}"] = unicodedata.normalize("NFC", value.strip())
    return given


async def _read(services: Services, customer_no: str | None = None) -> list[Json]:
    async with services.database.transaction() as session:
        firm = await company.get(session)
        at = now()
        today = local_date(at, firm.time_zone)
        rows = await views.customers(session, today, customer_no)
        standings = await debtors.standings(session, today, customer_no)
        wanted = None if customer_no is None else [row["id"] for row in rows]
        outlooks = await accounts.outlooks(session, at, wanted)
    return [
        _customer(row, standings[row["id"]], outlooks.get(row["id"]), firm.currency) for row in rows
    ]


async def _agreed(services: Services, customer_no: str) -> Json:
    """Return what people agreed with the customer and noted: disputes, blocks, plan, calls."""
    async with services.database.transaction() as session:
        customer = await customers.get(session, customer_no)
        today = local_date(now(), (await company.get(session)).time_zone)
        kinds = (blocks.DISPUTE, blocks.BLOCK, blocks.INSOLVENCY)
        held = await blocks.list_current(session, kinds, today, customer_no)
        plan = await agreements.latest(session, customer.id or 0, agreements.INSTALMENTS)
        called = await calls.of_customer(session, customer.id or 0)
    return {
        "disputes": [
            {"invoice_no": row["invoice_no"], "since": row["since"], "reason": row["reason"]}
            for row in held
            if row["kind"] == blocks.DISPUTE
        ],
        "blocks": [
            {name: row[name] for name in ("kind", "invoice_no", "since", "until", "reason")}
            for row in held
            if row["kind"] != blocks.DISPUTE
        ],
        "instalments": plan_summary(plan) if plan else None,
        "calls": [
            {"date": one.called_on, "outcome": one.outcome, "by": one.noted_by} for one in called
        ],
    }


def _customer(
    row: Mapping[Any, Any], standing: Mapping[Any, Any], outlook: Outlook | None, currency: str
) -> Json:
    debts = {code: money(Decimal(sum_), code) for code, sum_ in row["debts"].items()}
    late = {code: money(Decimal(sum_), code) for code, sum_ in row["overdue"].items()}
    nothing = money(Decimal(0), currency)
    next_step, why = _next(row, outlook)
    return {
        "id": row["id"],
        "customer_no": row["customer_no"],
        "name": row["name"],
        "kind": row["kind"],
        "email": row["email"],
        "language": row["language"],
        "terms_days": row["terms_days"],
        "level": standing["level"],
        "notices_count": standing["notices_count"],
        "calls_count": standing["calls_count"],
        "last_notice_on": standing["last_notice_on"],
        "currency": currency,
        "debt": debts.get(currency, nothing),
        "overdue": late.get(currency, nothing),
        "debts": debts,
        "oldest_overdue_days": row["oldest_overdue_days"],
        "problematic": standing["problematic"],
        "blocked": standing["blocked_by"] is not None,
        "promise": _promise(standing),
        "manager": standing["manager"] or None,
        "preferred_contact": standing["preferred_contact"],
        "credit_limit": money(standing["credit_limit"], currency),
        "custom_fields": {
            number: standing[name]
            for number, name in enumerate(debtors.CUSTOM, start=1)
            if standing[name]
        },
        "next_step": next_step,
        "why": why,
    }


def _next(row: Mapping[Any, Any], outlook: Outlook | None) -> tuple[str, str]:
    """Return what comes next and why: of a dunning case under way, of the rules, of an order.

    A dunning case that waits for a rule gives way to what the rules say now. Who is not overdue is
    an order's business until a rule will take them.
    """
    if row["dunning_step"] and row["dunning_waits_for"] != WaitingFor.RULE:
        return row["dunning_step"], row["dunning_why"]
    if outlook and (outlook.on or (row["oldest_overdue_days"] and outlook.rules_run)):
        return outlook.next_step, outlook.why
    if row["next_step"]:
        return row["next_step"], row["why"]
    return (outlook.next_step, outlook.why) if outlook else ("nothing", "no case is open")


def _promise(standing: Mapping[Any, Any]) -> Json | None:
    """Return the next agreed payment date; without an amount it is for all that is due."""
    if standing["promised_for"] is None:
        return None
    amount = money(standing["promised_amount"], standing["promised_currency"])
    return {
        "date": standing["promised_for"],
        "amount": amount,
        "currency": standing["promised_currency"],
    }
