"""How the workflows of rule runs are named, and started by one another."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.workflow import ChildWorkflowHandle, ParentClosePolicy

with workflow.unsafe.imports_passed_through():
    from models import search_keys
    from models.messages import Message


def slot_id(slot: datetime) -> str:
    """Return the id of a slot's workflow: whichever Schedule fires first starts it."""
    return f"dunning-slot-{slot:%Y-%m-%dT%H:%M}"


def run_id(rule_id: int, what: datetime | str) -> str:
    """Return the id of a run's workflow, which is its business key too."""
    when = what if isinstance(what, str) else f"{what:%Y-%m-%dT%H:%M}"
    return f"dunning-run-{rule_id}-{when}"


async def start_child(
    kind: str, start: Message, name: str, summary: str, case_kind: str
) -> ChildWorkflowHandle[Any, Any] | None:
    """Start a workflow that outlives this one; None if one of that id is running."""
    attributes = [SearchAttributePair(search_keys.CASE_KIND, case_kind)]
    try:
        return await workflow.start_child_workflow(
            kind,
            start,
            id=name,
            parent_close_policy=ParentClosePolicy.ABANDON,
            static_summary=summary,
            search_attributes=TypedSearchAttributes(attributes),
        )
    except WorkflowAlreadyStartedError:
        return None


def ask_for_attention() -> None:
    """Show operators that a person has to look at something here."""
    needs_attention = True
    workflow.upsert_search_attributes([search_keys.NEEDS_ATTENTION.value_set(needs_attention)])
