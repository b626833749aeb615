"""Histories of ticks, slots and runs of released versions replay, with the very same inputs.

``make histories`` records them anew after a deliberate change; one that was released stays.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from models.dunning_tables import AccountManager
from tests.workflows.test_replay import RECORD, replay
from workflows.dunning_cycle import DunningCycle
from workflows.dunning_slot import DunningSlot
from workflows.dunning_tick import DunningTick

from .clockwork import Clockwork
from .house import House, now
from .office import FRIDAY, MARK, PLAIN, TELL, open_office

FOLDER = Path(__file__).with_name("histories") / "runs"
TYPES: dict[str, type] = {
    "tick": DunningTick,
    "slot": DunningSlot,
    "hand_over": DunningCycle,
    "mark": DunningCycle,
    "tell": DunningCycle,
}


@pytest.mark.parametrize("name", TYPES)
async def test_a_released_history_replays_with_the_same_inputs(name: str) -> None:
    """No run of a released version breaks, and none asks for something else."""
    document = json.loads((FOLDER / f"{name}.json").read_text())
    history = WorkflowHistory.from_json(document["workflow_id"], document["history"])

    assert await replay(history, type_=TYPES[name]) == document["inputs"]


async def test_fresh_histories_replay(house: House, works: Clockwork) -> None:
    """A slot of three rules, as each of its workflows saw it."""
    async with open_office(house, works) as office:
        numbers = await office.owe(3)
        ids = [
            await works.add(rule, priority=place, start_date="2026-11-06")
            for place, rule in enumerate((PLAIN, MARK, TELL), start=1)
        ]
        await office.know(numbers[0], manager="Anna")
        async with house.database.transaction() as session:
            session.add(AccountManager(name="Anna", email="anna@sample.example", updated_at=now()))
        await works.keep()
        await office.fire(ids[0], FRIDAY)
        await office.runs(3)
        names = {
            "tick": f"dunning-tick-{ids[0]}-2026-11-20T11:00:00Z",
            "slot": "dunning-slot-2026-11-20T12:00",
            **{
                name: f"dunning-run-{rule_id}-2026-11-20T12:00"
                for name, rule_id in zip(("hand_over", "mark", "tell"), ids, strict=True)
            },
        }
        for name, workflow_id in names.items():
            handle = house.client.get_workflow_handle(workflow_id)
            await handle.result()
            history = await handle.fetch_history()
            inputs = await replay(history, type_=TYPES[name])

            assert inputs
            _record(name, workflow_id, inputs, history)


def _record(name: str, workflow_id: str, inputs: Any, history: WorkflowHistory) -> None:
    if RECORD:
        document = {"workflow_id": workflow_id, "inputs": inputs, "history": history.to_json_dict()}
        (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
