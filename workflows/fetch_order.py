"""``FetchOrder``: an order or won deal that a webhook only named is fetched, however long it takes.

One activity, repeated until the other side answers or a person has to look. It holds no truth: the
row ``order_fetch`` does, and the dispatcher starts a lost one again.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from models.messages import FetchRequest
    from workflows.policies import POLICIES, SILENCE

FETCH = "fetch_order"


@workflow.defn(name="FetchOrder")
class FetchOrder:
    """One fetch. Id: ``fetch-<channel>-<external id>-<number>``."""

    @workflow.run
    async def run(self, request: FetchRequest) -> str:
        """Fetch, and return what became of it: done, ignored or failed.

        Cancelled from outside, it leaves the deal to a person instead of dying without a word.
        """
        try:
            return await self._fetch(request, "fetch the deal and take it in")
        except BaseException as error:
            if not is_cancelled_exception(error):
                raise
        given_up = request.model_copy(update={"give_up": "The fetch was cancelled in Temporal."})
        return await self._fetch(given_up, "leave the deal to a person")

    async def _fetch(self, request: FetchRequest, summary: str) -> str:
        policy = POLICIES[FETCH]
        outcome: str = await workflow.execute_activity(
            FETCH,
            request,
            result_type=str,
            start_to_close_timeout=policy.one_try,
            heartbeat_timeout=SILENCE,
            retry_policy=policy.retry,
            summary=summary,
        )
        return outcome
