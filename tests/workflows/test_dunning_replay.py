"""Histories of dunning cases of released versions replay, with the very same inputs.

``make histories`` records them anew after a deliberate change; one that was released stays.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.workflow import NondeterminismError

from models.messages import DunningStart
from tests.conftest import ROOT
from tests.workflows.arrears import Arrears
from tests.workflows.dunning_stories import STORIES
from tests.workflows.house import House
from tests.workflows.test_replay import RECORD, replay
from workflows.dunning_case import DunningCase

FOLDER = Path(__file__).with_name("histories") / "dunning"
RECORDED = sorted(path.name.removesuffix(".json") for path in FOLDER.glob("*.json"))


def recorded(name: str) -> tuple[WorkflowHistory, list[dict[str, object]]]:
    """Return a committed history and what it asked for."""
    document = json.loads((FOLDER / f"{name}.json").read_text())
    return WorkflowHistory.from_json(document["workflow_id"], document["history"]), document[
        "inputs"
    ]


@pytest.mark.parametrize("name", RECORDED)
async def test_a_released_history_replays_with_the_same_inputs(name: str) -> None:
    """No case of a released version breaks, and none asks for something else."""
    history, inputs = recorded(name)

    assert await replay(history, type_=DunningCase) == inputs


@pytest.mark.parametrize("name", STORIES)
async def test_a_fresh_history_replays(
    house: House, temporal: WorkflowEnvironment, name: str
) -> None:
    """Every story, run now, replays from its first event to its last."""
    case_id = await STORIES[name](Arrears(house), temporal)
    history = await house.workflow(case_id).fetch_history()
    inputs = await replay(history, type_=DunningCase)

    assert inputs
    if RECORD:
        document = {"workflow_id": case_id, "inputs": inputs, "history": history.to_json_dict()}
        text = json.dumps(document, indent=1).replace(f"{ROOT}/", "")  # in stack traces
        (FOLDER / f"{name}.json").write_text(text + "\n")


def test_every_story_is_committed() -> None:
    """A story that nobody has recorded protects nobody."""
    assert set(STORIES) <= set(RECORDED)


@workflow.defn(name="DunningCase")
class Careless(DunningCase):
    """What a careless change would look like: a pause before the first look."""

    @workflow.init
    def __init__(self, start: DunningStart) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: DunningStart) -> str:
        """Wait a little, then go on as before."""
        await workflow.sleep(1)
        return await super().run(start)


async def test_a_broken_workflow_is_caught() -> None:
    """The tests above can fail: a planted break raises."""
    history, _ = recorded("sent_then_paid")

    with pytest.raises(NondeterminismError):
        await replay(history, type_=Careless)


async def test_another_input_is_caught() -> None:
    """Replay does not compare what activities are asked for; the golden inputs do."""
    history, inputs = recorded("approved_for_less_by_letter")
    events = [
        e for e in history.events if e.HasField("workflow_execution_started_event_attributes")
    ]
    (payload,) = events[0].workflow_execution_started_event_attributes.input.payloads
    payload.data = payload.data.replace(b"dunning-D", b"dunning-E")

    assert await replay(history, type_=DunningCase) != inputs
