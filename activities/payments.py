"""Match money that was received to what is owed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.services import Services
from models.codec import Json
from models.messages import Progress, StepRequest
from models.store import cases, customers, history, payments
from models.store.effects import once
from models.tables import SalesOrder


@dataclass(frozen=True, slots=True)
class PaymentActivities:
    """The activity ``reconcile_payment``."""

    services: Services

    @activity.defn(name="reconcile_payment")
    async def reconcile_payment(self, request: StepRequest) -> Progress:
        """Settle the case's invoice with a payment; what is left over stays on account.

        The receipt was booked when the payment came in. Where there is no invoice yet, nothing is
        matched: the payment waits for it.
        """
        async with self.services.database.transaction() as session:
            case = await cases.standing(session, request.case_id)
            if case.invoice_id is not None or case.closed is not None:

                async def match() -> Json:
                    return await _match(session, request)

                await once(session, request, match)
            return await cases.refresh(session, request.case_id, request.at)


async def _match(session: AsyncSession, request: StepRequest) -> Json:
    payment_id = int(request.cause.removeprefix("payment-"))
    query = select(SalesOrder.customer_id).where(SalesOrder.case_id == request.case_id)
    customer_id = (await session.exec(query)).one()
    if customer_id is not None:
        await customers.lock(session, customer_id)
    payment = await payments.lock(session, payment_id)
    settled = await payments.allocate(session, payment, request.case_id, request.at)
    words = (
        f"{settled:.2f} {payment.currency} settle the invoice"
        if settled
        else f"{payment.amount:.2f} {payment.currency} stay on account: nothing to settle with them"
    )
    history.note(session, request.case_id, request.at, "payment_matched", words, payment=payment_id)
    return {"settled": str(settled)}
