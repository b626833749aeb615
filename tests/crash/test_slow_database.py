"""A database that is too slow for a step inside the workflow task: the case survives a replay of it.

A timeout of a local activity is raised in one form when it happens and in another when it is
replayed. A worker's death is where replays come from, so the crash tests saw it first.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, Worker

from domain.order_case import Plan, Status, Step
from models.messages import Progress, StepRequest
from starter.stack.temporal import program
from workflows import effects
from workflows.effects import run_effect

QUEUE = "slow-database"


@activity.defn(name=Step.CLOSE_CASE)
async def slow_at_first(request: StepRequest) -> Progress:
    """Take too long as a local activity; be quick as a visible one."""
    if activity.info().is_local:
        await asyncio.sleep(30)
    plan = Plan(Step.END, Status.CLOSED, "nothing", "the test is over")
    return Progress(plan=plan, currency="EUR", payment_status=request.cause)


@workflow.defn(sandboxed=False)
class OneStep:
    """A case of a single step."""

    @workflow.run
    async def run(self, request: StepRequest) -> Progress:
        """Run it as every step of a case is run."""
        return await run_effect(Step.CLOSE_CASE, request, "close the case")


async def test_a_step_that_was_too_slow_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step goes on as a visible activity, and the history tells the same story again."""
    monkeypatch.setattr(effects, "LOCAL_DEADLINE", timedelta(seconds=0.5))
    history = await _history()

    assert any(
        event.HasField("activity_task_scheduled_event_attributes") for event in history.events
    )
    replayer = Replayer(
        workflows=[OneStep],
        data_converter=pydantic_data_converter,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    await replayer.replay_workflow(history)


async def _history() -> WorkflowHistory:
    async with (
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=program(), data_converter=pydantic_data_converter
        ) as environment,
        Worker(
            environment.client, task_queue=QUEUE, workflows=[OneStep], activities=[slow_at_first]
        ),
    ):
        request = StepRequest(
            key="case:close:1", case_id="case", cause="paid", at=datetime.now(UTC)
        )
        handle = await environment.client.start_workflow(
            OneStep.run, request, id="case", task_queue=QUEUE
        )
        assert (await handle.result()).payment_status == "paid"
        return await handle.fetch_history()
