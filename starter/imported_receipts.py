"""Money for an imported invoice: it has no case that could match it, so it is settled at once."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.calendar import local_date
from domain.errors import ConflictError
from models.store import company, history, settlement, tasks
from models.store.payments import Receipt
from models.store.targets import Target
from models.tables import Payment


async def settle_imported(
    session: AsyncSession,
    payment: Payment,
    receipt: Receipt,
    target: Target,
    at: datetime,
    *,
    by: str,
    new: bool,
) -> None:
    """Settle an imported invoice with a receipt that was just booked; a known one changes nothing.

    The caller has locked the customer (``payments.receive``). What is left over stays on account,
    with a task. The same reference for another invoice is a ConflictError.
    """
    if payment.invoice_no != receipt.invoice_no:
        known = payment.invoice_no or "no invoice"
        raise ConflictError(
            f"The payment {receipt.transaction_id} is known for {known}, not for"
            f" {receipt.invoice_no}. Nothing was changed."
        )
    if not new:
        return
    booked, settled = await settlement.reconcile(session, payment.id or 0, target.case_id, at)
    amount = max(settled, Decimal(0))
    told = f"{payment.amount:.2f} {payment.currency} received, {amount:.2f} settle the invoice"
    history.note(session, target.case_id, at, "payment_matched", told, by, payment=payment.id)
    if booked.unallocated > amount:
        await _ask_about_rest(session, booked, receipt, at)


async def _ask_about_rest(
    session: AsyncSession, payment: Payment, receipt: Receipt, at: datetime
) -> None:
    firm = await company.get(session)
    await tasks.create(
        session,
        key=f"payment-{payment.id}:on-account",
        kind="payment_on_account",
        title=f"Money left over for {receipt.invoice_no}",
        description="More was received than is owed, or in another currency. Refund it, or keep it"
        " for the customer's next invoice.",
        assignee=tasks.assignee(firm, "accounting"),
        due=tasks.within(local_date(at, firm.time_zone), 3),
        case_id=None,
        at=at,
        context={"payment_id": payment.id, "invoice_no": receipt.invoice_no},
    )
