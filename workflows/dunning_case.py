"""``DunningCase``: one customer in arrears, from the first step until nothing is overdue any more.

Rules say when something is due: their runs claim customers and tell the case. The case answers each
claim, waits for approvals, sends, and looks at the facts again whenever something about its
customer has changed. Like ``OrderToCash`` it executes plans that activities make from the facts,
and holds no truth of its own.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.dunning.case import Step, WaitingFor
    from models.messages import (
        Command,
        DecisionRequest,
        DunningProgress,
        DunningStart,
        DunningState,
        LookAgain,
        StepRequest,
    )
    from workflows.decisions import Decisions
    from workflows.display import DunningDisplay
    from workflows.effects import EffectFailedError, effect_of

# What has not gone out for this long is a person's matter.
LONGEST_SENDING = timedelta(hours=24)


@workflow.defn(name="DunningCase")
class DunningCase:
    """A dunning case. Id: ``dunning-<customer number>``."""

    @workflow.init
    def __init__(self, start: DunningStart) -> None:
        state = start.state or DunningState()
        self._case_id = start.case_id
        self._progress = state.progress
        self._decisions: Decisions[DunningProgress] = Decisions(state.seen)
        self._news = True
        self._display = DunningDisplay()
        self._last_key = ""
        self._heeded = False

    @workflow.run
    async def run(self, start: DunningStart) -> str:
        """Go from plan to plan until nothing is overdue; return the status it ended in.

        Cancelled from outside (the Web UI), the case does not die: dunning of the customer stops
        until a person lifts the block.
        """
        while True:
            try:
                return await self._work(start)
            except BaseException as error:
                if self._heeded or not is_cancelled_exception(error):
                    raise

    async def _work(self, start: DunningStart) -> str:
        while True:
            self._heed_cancellation()
            if self._decisions:
                self._progress = await self._take_decision(*self._decisions.first)
                continue
            if self._news or self._progress is None:
                self._progress = await self._look()
                continue
            plan = self._progress.plan
            if plan.step is Step.WAIT:
                self._display.show(self._progress)
                self._continue_as_new_if_long(start)
                await self._wait(self._progress)
            elif plan.step is Step.END:
                self._display.show(self._progress)
                await workflow.wait_condition(workflow.all_handlers_finished)
                if not self._decisions and not self._news:
                    return plan.status.value
            else:
                self._progress = await self._execute(self._progress)

    def _heed_cancellation(self) -> None:
        """Take a cancellation of the workflow as the decision to stop dunning this customer."""
        reason = workflow.cancellation_reason()
        if reason is None or self._heeded:
            return
        self._heeded = True
        command = Command(
            id=f"cancelled-{workflow.info().run_id}", reason=reason or "cancelled in Temporal"
        )
        self._decisions.note("stop", command)

    # What the case does -----------------------------------------------------------------------

    async def _look(self) -> DunningProgress:
        self._news = False
        self._last_key = ""
        return await effect_of(
            DunningProgress, "look_at_dunning", self._request("look", "news"), "look at the facts"
        )

    async def _execute(self, progress: DunningProgress) -> DunningProgress:
        plan = progress.plan
        request = self._request(plan.step, plan.cause)
        if request.key == self._last_key:
            # It has just had its effect and is planned again: no circle, a person has to look.
            return await self._report(plan.step, "The step is done, but the case stands still.")
        if plan.step is Step.SEND_NOTICE:
            return await self._send(request, plan.next_step)
        self._last_key = request.key
        try:
            return await effect_of(DunningProgress, plan.step, request, plan.next_step)
        except EffectFailedError as error:
            return await self._report(plan.step, error.reason)

    async def _send(self, request: StepRequest, summary: str) -> DunningProgress:
        """Send a notice. Where that takes long, look at the facts in between: they grow old."""
        self._last_key = request.key
        begun = workflow.now()
        while True:
            try:
                return await effect_of(DunningProgress, Step.SEND_NOTICE, request, summary)
            except EffectFailedError as error:
                if error.refused or workflow.now() - begun >= LONGEST_SENDING:
                    return await self._report(Step.SEND_NOTICE, error.reason)
            request = request.model_copy(update={"at": workflow.now()})

    async def _report(self, step: Step, failure: str) -> DunningProgress:
        request = self._request(f"{step}:failed", step).model_copy(update={"failure": failure})
        summary = f"{step} failed: create a task"
        return await effect_of(DunningProgress, "report_dunning_failure", request, summary)

    def _request(self, step: str, cause: str) -> StepRequest:
        return StepRequest(
            key=f"{self._case_id}:{step}:{cause}",
            case_id=self._case_id,
            cause=cause,
            at=workflow.now(),
        )

    async def _wait(self, progress: DunningProgress) -> None:
        """Wait for news; when the plan's day comes first, look at the facts again."""
        timeout = progress.wake_at - workflow.now() if progress.wake_at else None
        try:
            await workflow.wait_condition(
                lambda: bool(self._decisions) or self._news,
                timeout=timeout,
                timeout_summary=progress.plan.next_step,
            )
        except asyncio.TimeoutError:  # noqa: UP041 - Temporal raises it also on Python 3.11+
            self._news = True

    def _continue_as_new_if_long(self, start: DunningStart) -> None:
        if not workflow.info().is_continue_as_new_suggested():
            return
        if self._decisions or self._news or not workflow.all_handlers_finished():
            return
        state = DunningState(progress=self._progress, seen=self._decisions.seen)
        workflow.continue_as_new(start.model_copy(update={"state": state}))

    # Facts and decisions ----------------------------------------------------------------------

    @workflow.signal(description="Something about the customer has changed: look at the facts.")
    def look_again(self, fact: LookAgain) -> None:
        """Look at the facts again; any number of times, in any order."""
        del fact
        self._news = True

    @workflow.update(description="Approve the notice that waits.")
    async def approve(self, command: Command) -> DunningProgress:
        """Approve; the notice goes out if it still holds then."""
        return await self._decisions.decide("approve", command, self._progress)

    @workflow.update(description="Reject the notice that waits; fields {'not_before': DATE}.")
    async def reject(self, command: Command) -> DunningProgress:
        """Reject; the rule does not propose it again before a date (14 days from now)."""
        return await self._decisions.decide("reject", command, self._progress)

    @workflow.update(description="Repeat the step that failed, after its cause is mended.")
    async def retry(self, command: Command) -> DunningProgress:
        """Repeat the failed step."""
        return await self._decisions.decide("retry", command, self._progress)

    @workflow.update(description="Stop dunning this customer until the block is lifted.")
    async def stop(self, command: Command) -> DunningProgress:
        """Block dunning of the customer."""
        return await self._decisions.decide("stop", command, self._progress)

    @approve.validator
    def _may_approve(self, command: Command) -> None:
        self._must_wait_for(WaitingFor.APPROVAL, "approve", command)

    @reject.validator
    def _may_reject(self, command: Command) -> None:
        self._must_wait_for(WaitingFor.APPROVAL, "reject", command)

    @retry.validator
    def _may_retry(self, command: Command) -> None:
        self._must_wait_for(WaitingFor.RETRY, "retry", command)

    @workflow.signal(name="approval", description="Like the update `approve`, no answer.")
    def approve_signal(self, command: Command) -> None:
        """Approve; ignored where nothing waits for it."""
        self._decisions.note("approve", command)

    @workflow.signal(name="rejection", description="Like the update `reject`, no answer.")
    def reject_signal(self, command: Command) -> None:
        """Reject; ignored where nothing waits for it."""
        self._decisions.note("reject", command)

    @workflow.signal(name="retry_step", description="Like the update `retry`, no answer.")
    def retry_signal(self, command: Command) -> None:
        """Repeat the failed step; ignored where none failed."""
        self._decisions.note("retry", command)

    @workflow.query(description="Where the case stands, what comes next, when and why.")
    def progress(self) -> DunningProgress | None:
        """Return the last known progress."""
        return self._progress

    def _must_wait_for(self, wanted: WaitingFor, name: str, command: Command) -> None:
        waiting = self._progress.plan.waiting_for if self._progress else WaitingFor.NOTHING
        self._decisions.must_wait_for(wanted, waiting, name, command)

    async def _take_decision(self, name: str, command: Command) -> DunningProgress:
        """Store the decision unless the API has, and see what follows from it."""
        request = DecisionRequest(
            case_id=self._case_id, name=name, command=command, at=workflow.now()
        )
        summary = f"{name}: a person's decision"
        try:
            progress = await effect_of(DunningProgress, "take_dunning_decision", request, summary)
            self._decisions.answer(progress)
        except EffectFailedError as error:
            if not error.refused:
                raise
            self._decisions.answer(error.reason)
            progress = self._progress or await self._look()
        self._last_key = ""
        return progress
