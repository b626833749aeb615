"""``DunningTick``: a Schedule has fired; it starts the slot in which its rule is due, if it is.

It is short, and any number may run at once: what must happen once has ids and keys of its own.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from domain.dunning.ticks import Kind
    from models.messages import RuleCalled, RunStart, SlotStart
    from models.run_messages import TickPlan, TickRequest
    from workflows.effects import EffectFailedError, effect_of
    from workflows.rule_children import run_id, slot_id, start_child

# Set by the server on what a Schedule starts; by Trigger it is the second of the press.
SCHEDULED = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
BY_HAND = "operator via Temporal"


@workflow.defn(name="DunningTick")
class DunningTick:
    """A firing. Id: ``dunning-tick-<rule id>-<time of the firing>``, given by the Schedule."""

    @workflow.run
    async def run(self, call: RuleCalled) -> str:
        """Start what the firing asks for; return in words what that is."""
        try:
            plan = await self._plan(call)
        except EffectFailedError as error:
            raise ApplicationError(error.reason, non_retryable=True) from None
        done = await self._start(call, plan)
        workflow.set_current_details(f"**Rule {plan.rule}**\n\n{done}")
        return done

    async def _plan(self, call: RuleCalled) -> TickPlan:
        info = workflow.info()
        request = TickRequest(
            rule_id=call.rule_id,
            scheduled=info.typed_search_attributes.get(SCHEDULED),
            started=info.start_time,
            at=workflow.now(),
        )
        return await effect_of(
            TickPlan, "call_rule", request, "bring the Schedule up to date; is the rule due?"
        )

    async def _start(self, call: RuleCalled, plan: TickPlan) -> str:
        if plan.kind is Kind.NOTHING:
            return f"Nothing was started: {plan.why}."
        if plan.slot is not None:
            name = slot_id(plan.slot)
            summary = f"Rules due at {plan.slot:%Y-%m-%d %H:%M}"
            slot = SlotStart(slot=plan.slot)
            new = await start_child("DunningSlot", slot, name, summary, "dunning_slot") is not None
        else:
            name = run_id(call.rule_id, f"tick-{workflow.info().start_time:%Y-%m-%dT%H:%M:%S}")
            summary = f"Rule {plan.rule}, run now"
            start = RunStart(rule_id=call.rule_id, asked_by=BY_HAND)
            new = await start_child("DunningCycle", start, name, summary, "dunning_run") is not None
        return f"{'Started' if new else 'Runs already'}: {name}, as {plan.why}."
