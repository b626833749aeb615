"""Match money that was received to what is owed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel.ext.asyncio.session import AsyncSession
from temporalio import activity

from activities.services import Services
from models.codec import Json
from models.messages import Progress, StepRequest
from models.store import cases, history, settlement
from models.store.effects import once


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
            await cases.lock(session, request.case_id)
            if await cases.takes_money(session, request.case_id):

                async def match() -> Json:
                    return await _match(session, request)

                await once(session, request, match)
            return await cases.refresh(session, request.case_id, request.at)


async def _match(session: AsyncSession, request: StepRequest) -> Json:
    payment_id = int(request.cause.removeprefix("payment-"))
    payment, settled = await settlement.reconcile(session, payment_id, request.case_id, request.at)
    words = (
        f"{settled:.2f} {payment.currency} settle the invoice"
        if settled
        else f"{payment.amount:.2f} {payment.currency} stay on account: nothing to settle with them"
    )
    history.note(session, request.case_id, request.at, "payment_matched", words, payment=payment_id)
    return {}
