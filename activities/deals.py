"""Tell a CRM what became of its deal. It never holds up the money: a pause is not waited for here.

One try each: done, postponed (the case goes on and is woken when the pause is over), or refused,
which becomes an exception with a task. All values are absolute, so saying them twice is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio import activity

from activities.services import Services
from connectors.crm.port import CrmAwayError, CrmBusyError
from connectors.crm.settings import read_settings
from connectors.crm.vendors import connected
from domain.errors import RefusedError, TryLaterError
from domain.order_case import Step, deal_state
from models.messages import Progress, StepRequest
from models.store import cases, deals, history
from models.store.deals import Deal
from models.tables import DealUpdate
from models.vault import Vault

PATIENCE = timedelta(hours=24)
_LONGEST_PAUSE = timedelta(minutes=10)
_BUSY = timedelta(seconds=5)


class CrmSilentError(RefusedError):
    """The CRM was asked for a whole day and never took the update."""


@dataclass(frozen=True, slots=True)
class DealActivities:
    """The activity ``update_deal``."""

    services: Services

    @activity.defn(name="update_deal")
    async def update_deal(self, request: StepRequest) -> Progress:
        """Write invoice number, status, due date and day of payment into the deal."""
        async with self.services.database.transaction() as guard:
            # Held while we call: the database frees it with the connection of a dead worker.
            if not await deals.try_guard(guard, request.case_id):
                raise TryLaterError("another attempt at this deal is under way", _BUSY)
            intended = await self._intend(request)
            if isinstance(intended, Progress):
                return intended
            row, deal = intended
            try:
                await self._call(deal)
            except (CrmBusyError, CrmAwayError) as error:
                return await self._postpone(request, row, error)
            except RefusedError as error:
                async with self.services.database.transaction() as session:
                    await deals.fail(session, row.key, error.message)
                raise
            return await self._settle(request, row)

    async def _intend(self, request: StepRequest) -> tuple[DealUpdate, Deal] | Progress:
        """Write the intent, or return the new plan if the case has moved on since."""
        async with self.services.database.transaction() as session:
            await cases.lock(session, request.case_id)
            progress = await cases.look(session, request.case_id, request.at)
            plan = progress.plan
            if (plan.step, plan.cause) != (Step.UPDATE_DEAL, request.cause):
                return progress
            state = deal_state(await cases.standing(session, request.case_id))
            row = await deals.intend(session, request.key, request.case_id, state, _now())
            return row, await deals.get(session, request.case_id, state)

    async def _call(self, deal: Deal) -> None:
        token = Vault(self.services.settings).open(deal.sealed_token)
        async with connected(deal.channel, read_settings(deal.settings), token) as connection:
            await connection.update(deal.external_id, deal.values)

    async def _postpone(
        self, request: StepRequest, row: DealUpdate, error: CrmBusyError | CrmAwayError
    ) -> Progress:
        at = _now()
        if at - row.intended_at > PATIENCE:
            why = f"{error.message} It was tried for a day."
            async with self.services.database.transaction() as session:
                await deals.fail(session, row.key, why)
            raise CrmSilentError(why)
        growing = min(timedelta(seconds=2 ** min(row.attempts, 10)), _LONGEST_PAUSE)
        pause = error.after if isinstance(error, CrmBusyError) else growing
        async with self.services.database.transaction() as session:
            await deals.postpone(session, row, pause, error.message, at)
            if row.attempts == 1:
                text = f"The CRM is told later: {error.message}"
                history.note(session, request.case_id, request.at, "deal_postponed", text)
            return await cases.refresh(session, request.case_id, request.at)

    async def _settle(self, request: StepRequest, row: DealUpdate) -> Progress:
        async with self.services.database.transaction() as session:
            await deals.done(session, row, _now())
            text = f"The deal in the CRM says: {row.said}"
            history.note(session, request.case_id, request.at, "deal_updated", text)
            return await cases.refresh(session, request.case_id, request.at)


def _now() -> datetime:
    return datetime.now(UTC)
