"""``DunningSlot``: the rules due at one time run in their order, one after the other (J12).

Each run claims its customers before the next begins, so that a lower rule finds the day taken. A
rule that fails or hangs does not keep the others.
"""

from __future__ import annotations

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError, FailureError

with workflow.unsafe.imports_passed_through():
    from models.messages import RunReport, RunStart, SlotStart
    from models.run_messages import DueRule, DueRules, RunFailure
    from workflows.effects import EffectFailedError, effect_of
    from workflows.rule_children import ask_for_attention, run_id, start_child

# Claims are laid within seconds; what takes longer is mail servers that are away.
PATIENCE = timedelta(minutes=15)


@workflow.defn(name="DunningSlot")
class DunningSlot:
    """A slot. Id: ``dunning-slot-<local time>``; started again, it finds everything done."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    @workflow.run
    async def run(self, start: SlotStart) -> str:
        """Run every active rule that is due; return a line for each."""
        self._say(start, "looks for the rules that are due")
        try:
            due = await effect_of(DueRules, "due_rules", start, "which rules are due?")
            for rule in due.rules:
                self._say(start, f"runs {rule.name}")
                self._lines.append(f"{rule.name}: {await self._run(start, rule)}")
        except EffectFailedError as error:
            raise ApplicationError(error.reason, non_retryable=True) from None
        self._say(start, "done")
        return "\n".join(self._lines) or "No rule is due."

    async def _run(self, start: SlotStart, rule: DueRule) -> str:
        name = run_id(rule.rule_id, start.slot)
        summary = f"Rule {rule.name}, slot {start.slot:%Y-%m-%d %H:%M}"
        asked = RunStart(rule_id=rule.rule_id, slot=start.slot)
        handle = await start_child("DunningCycle", asked, name, summary, "dunning_run")
        if handle is None:
            return f"runs already ({name})"
        done, _ = await workflow.wait([handle], timeout=PATIENCE.total_seconds())
        if not done:
            return f"goes on by itself ({name})"
        try:
            report = RunReport.model_validate(await handle)
        except ChildWorkflowError as error:
            reason = _why(error)
            await self._report(rule, name, reason)
            return f"failed: {reason}"
        before = ", done before" if report.repeated else ""
        return f"{report.matched} matched, {report.handed_over} handed over{before}"

    async def _report(self, rule: DueRule, name: str, reason: str) -> None:
        ask_for_attention()
        failure = RunFailure(rule_id=rule.rule_id, name=name, reason=reason, at=workflow.now())
        await effect_of(bool, "report_run_failure", failure, f"leave {rule.name} to a person")

    def _say(self, start: SlotStart, doing: str) -> None:
        lines = "\n".join(f"- {line}" for line in self._lines)
        workflow.set_current_details(f"**{start.slot:%Y-%m-%d %H:%M}**: {doing}\n\n{lines}")


def _why(error: FailureError) -> str:
    """Return the words of what went wrong at the bottom."""
    cause: BaseException = error
    while isinstance(cause, FailureError) and cause.cause is not None:
        cause = cause.cause
    return str(cause)
