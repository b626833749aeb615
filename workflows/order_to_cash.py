"""``OrderToCash``: one order or won deal, from intake until the money is in the books.

Every step answers with the plan for what comes next, made from the facts in the database
(``domain.order_case``). This workflow executes plans, waits for what a plan waits for, takes
payments and people's decisions in any order and number, and makes a failed step a case for a
person. It holds no truth of its own: lost and started again, it goes on where the facts stand.
"""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from domain.order_case import Step, TaskKind, WaitingFor
    from models.messages import (
        CaseStart,
        CaseState,
        Command,
        DecisionRequest,
        LookAgain,
        OrderChanged,
        PaymentReceived,
        Progress,
        StepRequest,
    )
    from workflows.decisions import Decisions
    from workflows.display import Display
    from workflows.effects import EffectFailedError, run_effect


@workflow.defn(name="OrderToCash")
class OrderToCash:
    """An order-to-cash case. Id: ``order-<channel>-<order number>``."""

    @workflow.init
    def __init__(self, start: CaseStart) -> None:
        state = start.state or CaseState()
        self._case_id = start.case_id
        self._revision = start.revision
        self._generation = start.generation
        self._progress = state.progress
        self._payments = list(state.payments)
        self._decisions: Decisions[Progress] = Decisions(state.seen)
        self._display = Display()
        self._last_key = ""
        self._heeded = False

    @workflow.run
    async def run(self, start: CaseStart) -> str:
        """Go from plan to plan until nothing is left to do; return the status it ended in.

        Cancelled from outside (the Web UI), the case does not die: it undoes what it did.
        """
        while True:
            try:
                return await self._work(start)
            except BaseException as error:
                if self._heeded or not is_cancelled_exception(error):
                    raise

    async def _work(self, start: CaseStart) -> str:
        progress = self._progress or await self._first_look()
        while True:
            self._progress = progress
            self._heed_cancellation()
            if self._decisions:
                progress = await self._take_decision(*self._decisions.first)
            elif self._payments:
                progress = await self._reconcile(self._payments[0])
            elif progress.plan.step is Step.WAIT:
                self._display.show(progress)
                self._continue_as_new_if_long(start)
                progress = await self._wait(progress)
            elif progress.plan.step is Step.END:
                self._display.show(progress)
                if workflow.all_handlers_finished():
                    return progress.plan.status.value
                await workflow.wait_condition(workflow.all_handlers_finished)
            else:
                progress = await self._execute(progress)

    def _heed_cancellation(self) -> None:
        """Take a cancellation of the workflow as the decision to cancel the order."""
        reason = workflow.cancellation_reason()
        if reason is None or self._heeded:
            return
        self._heeded = True
        command = Command(
            id=f"cancelled-{workflow.info().run_id}", reason=reason or "cancelled in Temporal"
        )
        self._decisions.note("cancel", command)

    # What the case does -----------------------------------------------------------------------

    async def _first_look(self) -> Progress:
        """Begin with the check of the customer; a known case answers it from its facts."""
        cause = f"revision-{self._revision}"
        return await self._effect(Step.VALIDATE_CUSTOMER, cause, "check the order and the customer")

    async def _execute(self, progress: Progress) -> Progress:
        plan = progress.plan
        step = plan.step
        request = StepRequest.of(self._case_id, plan, workflow.now())
        if request.key == self._last_key:
            # It has just had its effect and is planned again: no circle, a person has to look.
            return await self._report(step, request, "The step is done, but the case stands still.")
        return await self._run(step, request, plan.next_step)

    async def _reconcile(self, payment_id: int) -> Progress:
        """Match a payment that was signalled; one that is matched already changes nothing."""
        progress = await self._effect(
            Step.RECONCILE_PAYMENT, f"payment-{payment_id}", "match a payment to the invoice"
        )
        self._payments.remove(payment_id)
        return progress

    async def _effect(self, step: Step, cause: str, summary: str) -> Progress:
        request = StepRequest(
            key=f"{self._case_id}:{step}:{cause}",
            case_id=self._case_id,
            cause=cause,
            at=workflow.now(),
        )
        return await self._run(step, request, summary)

    async def _run(self, step: Step, request: StepRequest, summary: str) -> Progress:
        """Run the step; where repeating cannot mend it, make it an exception with a task."""
        self._last_key = request.key
        try:
            as_before = step is Step.CREATE_INVOICE and self._generation == 1
            return await run_effect(step, request, summary, regular=as_before)
        except EffectFailedError as error:
            return await self._report(step, request, error.reason)

    async def _report(self, step: Step, request: StepRequest, failure: str) -> Progress:
        report = StepRequest(
            key=f"{request.key}:failed",
            case_id=self._case_id,
            cause=step.value,
            at=workflow.now(),
            task=TaskKind.STEP_FAILED,
            failure=failure,
        )
        return await run_effect(Step.CREATE_TASK, report, f"{step} failed: create a task")

    async def _wait(self, progress: Progress) -> Progress:
        """Wait for news; when the plan's day comes first, look at the case again."""
        timeout = progress.wake_at - workflow.now() if progress.wake_at else None
        try:
            await workflow.wait_condition(
                lambda: bool(self._decisions or self._payments),
                timeout=timeout,
                timeout_summary=progress.plan.next_step,
            )
        except asyncio.TimeoutError:  # noqa: UP041 - Temporal raises it also on Python 3.11+
            cause = f"day-{progress.plan.until}"
            return await self._effect(Step.NOTE_OVERDUE, cause, progress.plan.next_step)
        return progress

    def _continue_as_new_if_long(self, start: CaseStart) -> None:
        if not workflow.info().is_continue_as_new_suggested():
            return
        if self._decisions or self._payments or not workflow.all_handlers_finished():
            return
        state = CaseState(progress=self._progress, seen=self._decisions.seen)
        workflow.continue_as_new(start.model_copy(update={"state": state}))

    # Facts and decisions ----------------------------------------------------------------------

    @workflow.signal(description="Money came in and is booked: match it to this case.")
    def payment_received(self, fact: PaymentReceived) -> None:
        """Take a payment fact; any number, in any order, as often as it is told."""
        if fact.payment_id not in self._payments:
            self._payments.append(fact.payment_id)

    @workflow.update(description="Correct fields of the order, as `case correct` does.")
    async def correct(self, command: Command) -> Progress:
        """Correct the order; the case is checked again and goes on."""
        return await self._decisions.decide("correct", command, self._progress)

    @workflow.update(description="Approve what the case asked an approval for.")
    async def approve(self, command: Command) -> Progress:
        """Approve; the case goes on."""
        return await self._decisions.decide("approve", command, self._progress)

    @workflow.update(description="Reject what the case asked an approval for; give a reason.")
    async def reject(self, command: Command) -> Progress:
        """Reject; the case closes without an invoice."""
        return await self._decisions.decide("reject", command, self._progress)

    @workflow.update(description="Repeat the step that failed, after its cause is mended.")
    async def retry(self, command: Command) -> Progress:
        """Repeat the failed step."""
        return await self._decisions.decide("retry", command, self._progress)

    @workflow.update(description="Cancel the order: undo what was done, with documents.")
    async def cancel(self, command: Command) -> Progress:
        """Cancel the order; give a reason."""
        return await self._decisions.decide("cancel", command, self._progress)

    @workflow.update(description="Move the due date: fields {'due': '2026-12-31'}.")
    async def extend(self, command: Command) -> Progress:
        """Move the due date; the customer is told."""
        return await self._decisions.decide("extend", command, self._progress)

    @workflow.update(description="A write-off was proposed by the API, which checks who may.")
    async def write_off(self, command: Command) -> Progress:
        """Look at a proposed write-off; it needs a second person, so only the API proposes it."""
        return await self._decisions.decide("write_off", command, self._progress)

    @write_off.validator
    def _may_write_off(self, command: Command) -> None:
        if not command.stored:
            raise ApplicationError(
                "A write-off needs two people: propose it with `zahltag case write-off`.",
                type="NeedsFourEyes",
            )

    @correct.validator
    def _may_correct(self, command: Command) -> None:
        self._must_wait_for(WaitingFor.CORRECTION, "correct", command)

    @approve.validator
    def _may_approve(self, command: Command) -> None:
        self._must_wait_for(WaitingFor.APPROVAL, "approve", command)

    @reject.validator
    def _may_reject(self, command: Command) -> None:
        self._must_wait_for(WaitingFor.APPROVAL, "reject", command)

    @retry.validator
    def _may_retry(self, command: Command) -> None:
        self._must_wait_for(WaitingFor.RETRY, "retry", command)

    @workflow.signal(name="correct_order", description="Like the update `correct`, no answer.")
    def correct_signal(self, command: Command) -> None:
        """Correct the order; ignored where nothing is to be corrected."""
        self._decisions.note("correct", command)

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

    @workflow.signal(name="cancel_order", description="Like the update `cancel`, no answer.")
    def cancel_signal(self, command: Command) -> None:
        """Cancel the order; ignored where it is over already."""
        self._decisions.note("cancel", command)

    @workflow.signal(name="extend_due_date", description="Like the update `extend`, no answer.")
    def extend_signal(self, command: Command) -> None:
        """Move the due date; ignored where nothing is open."""
        self._decisions.note("extend", command)

    @workflow.signal(description="A write-off was proposed by the API: look at it.")
    def write_off_proposed(self, command: Command) -> None:
        """Look at a proposed write-off; one that is not stored is ignored."""
        if command.stored:
            self._decisions.note("write_off", command)

    @workflow.signal(description="The shop sent a newer version of the order.")
    def order_changed(self, fact: OrderChanged) -> None:
        """Look at the case again with what the shop says now."""
        self._decisions.note("look", Command(id=f"{fact.outbox_id}", stored=True, by="shop"))

    @workflow.signal(description="A pause is over (a CRM asked for one): look at the case.")
    def look_again(self, fact: LookAgain) -> None:
        """Look at the case again."""
        self._decisions.note("look", Command(id=fact.outbox_id, stored=True, by="zahltag"))

    @workflow.query(description="Where the case stands, what comes next, when and why.")
    def progress(self) -> Progress | None:
        """Return the last known progress."""
        return self._progress

    def _must_wait_for(self, wanted: WaitingFor, name: str, command: Command) -> None:
        waiting = self._progress.plan.waiting_for if self._progress else WaitingFor.NOTHING
        self._decisions.must_wait_for(wanted, waiting, name, command)

    async def _take_decision(self, name: str, command: Command) -> Progress:
        """Store the decision unless the API has, and see what follows from it."""
        request = DecisionRequest(
            case_id=self._case_id, name=name, command=command, at=workflow.now()
        )
        try:
            progress = await run_effect("take_decision", request, f"{name}: a person's decision")
            self._decisions.answer(progress)
        except EffectFailedError as error:
            if not error.refused or self._progress is None:
                raise
            self._decisions.answer(error.reason)
            progress = self._progress
        self._last_key = ""
        return progress
