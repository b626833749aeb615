"""``DunningCycle``: one run of a rule. It selects in the database and hands each customer over.

How far it has come stands in the database. Begun again (continued as new, restarted by the sweeper,
started a second time) it goes on where it stopped; done, it says what it did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from temporalio import workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.dunning.actions import Action
    from models.messages import RunReport, RunStart
    from models.run_messages import (
        Groups,
        ManagerMailRequest,
        Page,
        PageRequest,
        RunFailure,
        RunRequest,
        Selected,
        SelectRequest,
    )
    from workflows.effects import EffectFailedError, effect_of
    from workflows.rule_children import ask_for_attention


@workflow.defn(name="DunningCycle")
class DunningCycle:
    """A run. Id: ``dunning-run-<rule id>-<slot>`` or ``dunning-run-<rule id>-now-<time>-<n>``."""

    def __init__(self) -> None:
        self._run: Selected | None = None
        self._handed_over = 0

    @workflow.run
    async def run(self, start: RunStart) -> RunReport:
        """Select, hand over, report.

        Cancelled from outside, the run is over: whom it has not handed over is free for the next.
        """
        try:
            return await self._work(start)
        except EffectFailedError as error:
            raise ApplicationError(error.reason, non_retryable=True) from None
        except BaseException as error:
            if is_cancelled_exception(error) and self._run is not None:
                await self._end(self._run, cancelled=True)
            raise

    async def _work(self, start: RunStart) -> RunReport:
        run = await self._select(start)
        self._run, self._handed_over = run, run.handed_over
        self._say(start, "is done" if run.finished else "hands over")
        if not run.finished:
            await self._act(start, run)
            await self._end(run)
            self._say(start, "is done")
        return RunReport(
            run_id=run.run_id,
            matched=run.matched,
            handed_over=self._handed_over,
            repeated=run.finished,
        )

    async def _select(self, start: RunStart) -> Selected:
        key = workflow.info().workflow_id
        request = SelectRequest(key=key, start=start, at=workflow.now())
        return await effect_of(Selected, "select_customers", request, "select and claim customers")

    def _act(self, start: RunStart, run: Selected) -> Awaitable[None]:
        if run.action is Action.MARK_PROBLEMATIC:
            return self._mark(run)
        if run.action is Action.HAND_TO_ACCOUNT_MANAGER:
            return self._tell_managers(start, run)
        return self._hand_over(start, run)

    async def _hand_over(self, start: RunStart, run: Selected) -> None:
        after, last = run.after, run.taken == run.handed_over
        while not last:
            _heed_cancellation()
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(start)
            request = PageRequest(run_id=run.run_id, after=after, at=workflow.now())
            page = await effect_of(Page, "hand_over", request, f"hand over from {after} on")
            after, last, self._handed_over = page.after, page.last, page.handed_over
            self._say(start, "hands over")

    async def _mark(self, run: Selected) -> None:
        await effect_of(bool, "mark_customers", self._request(run), "mark them as problematic")
        self._handed_over = run.taken

    async def _tell_managers(self, start: RunStart, run: Selected) -> None:
        request = self._request(run)
        groups = await effect_of(Groups, "group_managers", request, "who looks after whom?")
        self._handed_over = run.taken
        for number in range(groups.mails):
            _heed_cancellation()
            mail = ManagerMailRequest(
                key=request.key, run_id=run.run_id, number=number, at=workflow.now()
            )
            try:
                summary = f"mail to account manager {number + 1} of {groups.mails}"
                await effect_of(bool, "tell_manager", mail, summary)
            except EffectFailedError as error:
                await self._report(start, mail, error)

    async def _report(
        self, start: RunStart, mail: ManagerMailRequest, error: EffectFailedError
    ) -> None:
        ask_for_attention()
        failure = RunFailure(
            rule_id=start.rule_id,
            name=mail.mail_key,
            reason=error.reason,
            at=workflow.now(),
            mail=True,
        )
        await effect_of(bool, "report_run_failure", failure, "leave it to a person")

    async def _end(self, run: Selected, *, cancelled: bool = False) -> None:
        request = self._request(run).model_copy(update={"cancelled": cancelled})
        await effect_of(bool, "finish_run", request, "note that the run is over")

    def _request(self, run: Selected) -> RunRequest:
        key = workflow.info().workflow_id
        return RunRequest(run_id=run.run_id, key=key, at=workflow.now())

    def _say(self, start: RunStart, doing: str) -> None:
        run = self._run
        if run is None:
            return
        when = f"slot {start.slot:%Y-%m-%d %H:%M}" if start.slot else f"asked by {start.asked_by}"
        workflow.set_current_details(
            f"**Rule {run.rule}** {doing}\n\n- **When:** {when}\n- **Matched:** {run.matched}\n"
            f"- **Handed over:** {self._handed_over} of {run.taken}\n"
            f"- **Skipped:** {run.matched - run.taken}"
        )


def _heed_cancellation() -> None:
    """End between two steps: a step under way is finished, and its result hides the wish."""
    if workflow.cancellation_reason() is not None:
        raise asyncio.CancelledError
