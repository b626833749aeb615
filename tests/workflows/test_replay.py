"""Histories of released versions replay on this one, with the very same activity inputs.

Replay compares the order and kind of commands; the golden inputs close the gap: amounts, keys and
dates too. ``make histories`` records new ones after a deliberate change (see CHANGELOG, "Workflow
compatibility"); a history that was released stays.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import (
    Interceptor,
    Replayer,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import NondeterminismError

from models.messages import CaseStart
from models.payloads import data_converter
from models.settings import Settings
from tests.workflows.house import House
from tests.workflows.stories import STORIES
from workflows.order_to_cash import OrderToCash

ROOT = Path(__file__).resolve().parents[2]
HISTORIES = Path(__file__).with_name("histories")
# Committed histories were recorded without a key.
CLEAR = data_converter(Settings(_env_file=None, payload_keys=""))
RECORD = os.environ.get("ZAHLTAG_RECORD_HISTORIES") == "1"
RECORDED = sorted(path.name.removesuffix(".json") for path in HISTORIES.glob("*.json"))


class Listening(Interceptor):
    """Writes down what a replayed workflow asks of its activities and children."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, Any]] = []

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002 - the SDK's name
    ) -> type[WorkflowInboundInterceptor]:
        """Return an interceptor that tells this object."""
        heard = self.inputs

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> Any:  # noqa: A002
                heard.append({input.activity: input.args[0].model_dump(mode="json")})
                return super().start_activity(input)

            def start_local_activity(self, input: StartLocalActivityInput) -> Any:  # noqa: A002
                heard.append({input.activity: input.args[0].model_dump(mode="json")})
                return super().start_local_activity(input)

            async def start_child_workflow(self, input: StartChildWorkflowInput) -> Any:  # noqa: A002
                heard.append({input.id: input.args[0].model_dump(mode="json")})
                return await super().start_child_workflow(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

        return Inbound


async def replay(
    history: WorkflowHistory,
    *,
    type_: type = OrderToCash,
    converter: DataConverter = CLEAR,
) -> list[dict[str, Any]]:
    """Replay a history; return what it asked of its activities. Raises NondeterminismError."""
    listening = Listening()
    replayer = Replayer(
        workflows=[type_],
        data_converter=converter,
        interceptors=[listening],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    await replayer.replay_workflow(history)
    return listening.inputs


@pytest.mark.parametrize("name", RECORDED)
async def test_a_released_history_replays_with_the_same_inputs(name: str) -> None:
    """No case of a released version breaks, and none asks for something else."""
    document = json.loads((HISTORIES / f"{name}.json").read_text())
    history = WorkflowHistory.from_json(document["workflow_id"], document["history"])

    assert await replay(history) == document["inputs"]


@pytest.mark.parametrize("name", STORIES)
async def test_a_fresh_history_replays(
    house: House, temporal: WorkflowEnvironment, name: str
) -> None:
    """Every story, run now, replays from its first event to its last."""
    case_id = await STORIES[name](house, temporal)
    history = await house.workflow(case_id).fetch_history()
    inputs = await replay(history)

    assert inputs
    if RECORD:
        document = {"workflow_id": case_id, "inputs": inputs, "history": history.to_json_dict()}
        text = json.dumps(document, indent=1).replace(f"{ROOT}/", "")  # in stack traces
        (HISTORIES / f"{name}.json").write_text(text + "\n")


@workflow.defn(name="OrderToCash")
class Broken:
    """What a careless change would look like: another first step."""

    @workflow.run
    async def run(self, _start: CaseStart) -> str:
        """Wait before checking."""
        await workflow.sleep(1)
        return "closed"


async def test_a_broken_workflow_is_caught() -> None:
    """The test above can fail: a planted break raises."""
    document = json.loads((HISTORIES / "prepaid.json").read_text())
    history = WorkflowHistory.from_json(document["workflow_id"], document["history"])

    with pytest.raises(NondeterminismError):
        await replay(history, type_=Broken)
