"""How a customer's dunning case is started, or told where it runs: one signal-with-start."""

from __future__ import annotations

from typing import Any

from temporalio.client import Client
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)

from models import search_keys
from models.messages import DunningStart, Message
from models.store.dunning.telling import case_id_of


async def start_dunning_case(
    client: Client,
    customer_no: str,
    *,
    task_queue: str,
    signal: tuple[str, Message] | None = None,
) -> None:
    """Start the case's workflow, with a signal if there is one; a running one just gets that.

    A case that has ended comes back: what it does is decided from the facts.
    """
    extra: dict[str, Any] = {}
    if signal:
        extra = {"start_signal": signal[0], "start_signal_args": [signal[1]]}
    case_id = case_id_of(customer_no)
    await client.start_workflow(
        "DunningCase",
        DunningStart(case_id=case_id, customer_no=customer_no),
        id=case_id,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        static_summary=f"Dunning of customer {customer_no}",
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(search_keys.CASE_KIND, "dunning"),
                SearchAttributePair(search_keys.CUSTOMER_NO, customer_no),
            ]
        ),
        **extra,
    )
