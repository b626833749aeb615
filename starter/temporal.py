"""The connection to Temporal, the same for every process, and how a case's workflow is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from temporalio.client import Client, TLSConfig
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.runtime import Runtime

from models import search_keys
from models.messages import CaseStart, Message
from models.payloads import data_converter
from models.settings import Settings


async def connect(settings: Settings, runtime: Runtime | None = None) -> Client:
    """Connect to the settings' Temporal: dev server, own cluster (mTLS) or Cloud (API key).

    ``runtime`` carries the metrics of a process (``starter.metrics``); by default there are none.
    """
    api_key = settings.temporal_api_key.get_secret_value()
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=data_converter(settings),
        tls=_tls(settings),
        api_key=api_key or None,
        runtime=runtime,
    )


def _tls(settings: Settings) -> TLSConfig | bool:
    if settings.temporal_tls_cert and settings.temporal_tls_key:
        return TLSConfig(
            client_cert=Path(settings.temporal_tls_cert).read_bytes(),
            client_private_key=Path(settings.temporal_tls_key).read_bytes(),
        )
    return settings.temporal_tls


async def start_case(
    client: Client,
    start: CaseStart,
    *,
    task_queue: str,
    again: bool,
    signal: tuple[str, Message] | None = None,
) -> None:
    """Start a case's workflow, with a signal if there is one; a running one just gets the signal.

    ``again`` lets a case that has ended come back (a late payment, a lost workflow); intake of a
    new order never does: ``WorkflowAlreadyStartedError`` then says that the case is known.
    """
    extra: dict[str, Any] = {}
    if signal:
        extra = {"start_signal": signal[0], "start_signal_args": [signal[1]]}
    await client.start_workflow(
        "OrderToCash",
        start,
        id=start.case_id,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE
        if again
        else WorkflowIDReusePolicy.REJECT_DUPLICATE,
        static_summary=f"Order {start.order_no} from {start.channel}",
        search_attributes=TypedSearchAttributes(
            [
                SearchAttributePair(search_keys.CASE_KIND, "order"),
                SearchAttributePair(search_keys.CHANNEL, start.channel),
                SearchAttributePair(search_keys.ORDER_NO, start.order_no),
            ]
        ),
        **extra,
    )
