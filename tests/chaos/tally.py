"""Counts in the histories how often activities were tried, and compares cases with their workflows."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowExecutionStatus

from models.messages import DunningProgress, Progress

STARTED = EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
MARKER = EventType.EVENT_TYPE_MARKER_RECORDED
LOCAL = "core_local_activity"
# The workflows that are cases, and what each says of itself.
CASES: dict[str, type[Progress | DunningProgress]] = {
    "OrderToCash": Progress,
    "DunningCase": DunningProgress,
}


@dataclass
class Tally:
    """What Temporal knows: attempts, histories, and where each case stands by its workflow."""

    attempts: int = 0
    activities: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    events: int = 0
    results: dict[str, str] = field(default_factory=dict)
    progress: dict[str, Progress | DunningProgress] = field(default_factory=dict)

    def add(self, event: HistoryEvent) -> None:
        """Count one event. A local activity that died with its worker left no event."""
        self.events += 1
        if event.event_type == STARTED:
            self.attempts += event.activity_task_started_event_attributes.attempt
            self.activities["visible"] += 1
        elif event.event_type == MARKER:
            marker = event.marker_recorded_event_attributes
            if marker.marker_name == LOCAL:
                told = json.loads(marker.details["data"].payloads[0].data)
                self.attempts += int(told.get("attempt", 1))
                self.activities["local"] += 1


async def tally(client: Client) -> Tally:
    """Read every history of every case."""
    told, newest = Tally(), dict[str, tuple[float, str, str]]()
    names = ", ".join(f"'{name}'" for name in CASES)
    async for run in client.list_workflows(f"WorkflowType IN ({names})"):
        told.runs += 1
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        async for event in handle.fetch_history_events():
            told.add(event)
        began = run.start_time.timestamp()
        if began > newest.get(run.id, (0.0, "", ""))[0]:
            newest[run.id] = (began, run.run_id, run.workflow_type)
    for case_id, (_, run_id, kind) in newest.items():
        handle = client.get_workflow_handle(case_id, run_id=run_id)
        if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
            told.progress[case_id] = await handle.query("progress", result_type=CASES[kind])
        else:
            told.results[case_id] = str(await handle.result())
    return told


async def rest(client: Client) -> bool:
    """Whether no workflow has anything to do."""
    async for run in client.list_workflows("ExecutionStatus = 'Running'"):
        now = (await client.get_workflow_handle(run.id).describe()).raw_description
        if now.HasField("pending_workflow_task") or now.pending_activities:
            return False
    return True
