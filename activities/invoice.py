"""Make the invoice, and set when it is due."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.due_date import record_due_date
from activities.services import Services
from documents.invoice import render_invoice
from domain.calendar import due_date, local_date
from domain.company import Company, PaymentTerms
from domain.invoice import Invoice
from domain.invoicing import build_cancellation, build_invoice
from domain.order import CustomerKind, Order
from domain.order_case import Step
from models.codec import Json, load_invoice
from models.messages import Progress, StepRequest
from models.store import cases, company, invoices, orders, settlement
from models.store.effects import once


@dataclass(frozen=True, slots=True)
class InvoiceActivities:
    """``create_invoice``, ``cancel_invoice``, ``write_off`` and ``set_due_date``."""

    services: Services

    @activity.defn(name="create_invoice")
    async def create_invoice(self, request: StepRequest) -> Progress:
        """Number, render, store and book the invoice: all of it in one transaction, or nothing.

        If the case has moved on since it was planned (the shop sent a newer order, say), nothing
        is made and the new plan is returned.
        """
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)
            progress = await cases.look(session, request.case_id, request.at)
            if progress.plan.step is not Step.CREATE_INVOICE:
                return progress

            async def issue() -> Json:
                return await _issue(session, request)

            await once(session, request, issue)
            return await cases.refresh(session, request.case_id, request.at)

    @activity.defn(name="cancel_invoice")
    async def cancel_invoice(self, request: StepRequest) -> Progress:
        """Undo ``create_invoice`` with a document: the cancellation invoice (Stornorechnung).

        Payments are released first and are on account again.
        """
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)

            async def cancel() -> Json:
                return await _cancel(session, request)

            await once(session, request, cancel)
            return await cases.refresh(session, request.case_id, request.at)

    @activity.defn(name="write_off")
    async def write_off(self, request: StepRequest) -> Progress:
        """Write off what is still open, as two people agreed; what was paid meanwhile is not.

        Nor is what belongs to an order that was cancelled meanwhile: its invoice is undone.
        """
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)
            progress = await cases.look(session, request.case_id, request.at)
            if progress.plan.step is not Step.WRITE_OFF:
                return progress

            async def book() -> Json:
                row = await invoices.of_case(session, request.case_id)
                today = await cases.today(session, request.case_id, request.at)
                await invoices.write_off(session, row, request.at, today)
                return {"invoice_no": row.invoice_no}

            await once(session, request, book)
            return await cases.refresh(session, request.case_id, request.at)

    @activity.defn(name="set_due_date")
    async def set_due_date(self, request: StepRequest) -> Progress:
        """Record the due date that the customer's terms and the invoice say (F1, F2)."""
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)
            await record_due_date(session, request)
            return await cases.refresh(session, request.case_id, request.at)


async def _cancel(session: AsyncSession, request: StepRequest) -> Json:
    original = await invoices.of_case(session, request.case_id)
    firm = await company.get(session)
    today = local_date(request.at, firm.time_zone)
    item = await invoices.open_item(session, original.id or 0)
    await settlement.release(session, item, request.at, today)
    invoice = load_invoice(original.content)
    row = await invoices.issue(
        session,
        company=firm,
        case_id=request.case_id,
        order_id=original.order_id or 0,
        customer_id=original.customer_id,
        issue_date=today,
        at=request.at,
        build=lambda number: build_cancellation(invoice, number, today),
        render=_render,
        cancels=original,
    )
    return {"invoice_no": row.invoice_no}


async def _render(invoice: Invoice) -> bytes:
    return await asyncio.to_thread(render_invoice, invoice)


async def _issue(session: AsyncSession, request: StepRequest) -> Json:
    found = await orders.to_invoice(session, request.case_id)
    order, firm, received = found.order, found.company, found.received
    issue_date = local_date(request.at, firm.time_zone)
    terms = terms_of(order, firm, agreed=found.terms_days, routed=found.routed_terms_days)
    due = order.payment.due_date or due_date(issue_date, terms)

    def build(number: str) -> Invoice:
        return build_invoice(
            order,
            firm,
            customer_no=found.customer_no,
            number=number,
            issue_date=issue_date,
            due_date=max(due, issue_date),
            terms=terms,
            prepaid=received,
            paid_on=found.paid_on if received >= order.total > Decimal(0) else None,
            language=found.language if found.language in {"de", "en"} else "",
        )

    await invoices.issue(
        session,
        company=firm,
        case_id=request.case_id,
        order_id=found.id,
        customer_id=found.customer_id,
        issue_date=issue_date,
        at=request.at,
        build=build,
        render=_render,
    )
    return {}


def terms_of(
    order: Order, company: Company, *, agreed: int | None = None, routed: int | None = None
) -> PaymentTerms:
    """Return the terms of this order, else the customer's, a rule's, the company's (F1, A10)."""
    for days in (order.terms_days, agreed, routed):
        if days is not None:
            return PaymentTerms(days)
    business = order.buyer.kind is CustomerKind.B2B
    return company.terms_b2b if business else company.terms_b2c
