"""Whom a payment is for: the case and customer behind an invoice or an order number."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models.tables import InvoiceRow, SalesOrder


@dataclass(frozen=True, slots=True)
class Target:
    """A case that money is for; the customer is unknown until its order was checked.

    An imported invoice has no order and no workflow: nobody has to be told, it is settled at once.
    """

    case_id: str
    customer_id: int | None
    imported: bool = False


async def of_invoice(session: AsyncSession, invoice_no: str) -> Target | None:
    """Return the case that an invoice belongs to."""
    query = select(InvoiceRow.case_id, InvoiceRow.customer_id, InvoiceRow.type).where(
        InvoiceRow.invoice_no == invoice_no
    )
    row = (await session.exec(query)).one_or_none()
    return Target(row[0], row[1], row[2] == "imported") if row else None


async def of_order(session: AsyncSession, channel: str, order_no: str) -> Target | None:
    """Return the case of an order; without a channel only if one single order has that number."""
    query = select(SalesOrder.case_id, SalesOrder.customer_id).where(
        col(SalesOrder.order_no).in_((order_no, order_no.removeprefix("#")))
    )
    if channel:
        query = query.where(SalesOrder.channel == channel)
    rows = (await session.exec(query.limit(2))).all()
    return Target(rows[0][0], rows[0][1]) if len(rows) == 1 else None
