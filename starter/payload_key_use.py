"""Which keys the histories of open cases need: what must be known before a key is taken away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from models.payloads import key_of

AT_ONCE = 10


async def keys_of_open_cases(client: Client, *, most: int | None = None) -> Counter[str]:
    """Count the open cases that need each key (the name is empty for payloads in clear).

    Reads whole histories, undecoded: some 5 ms a case. ``most`` limits how many are looked at.
    """
    found: Counter[str] = Counter()
    turn = asyncio.Semaphore(AT_ONCE)

    async def look(execution: WorkflowExecution) -> None:
        async with turn:
            found.update(await _keys(client, execution))

    running = client.list_workflows("ExecutionStatus = 'Running'", limit=most)
    await asyncio.gather(*[look(execution) async for execution in running])
    return found


async def _keys(client: Client, execution: WorkflowExecution) -> set[str]:
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    try:
        events = [event async for event in handle.fetch_history_events()]
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:  # it ended and went meanwhile
            return set()
        raise
    return {key_of(payload) for event in events for payload in payloads_in(event)}


def payloads_in(message: Message) -> Iterator[Payload]:
    """Find every payload in a message of Temporal's API, however deep, but search attributes.

    Those are payloads too, and never encrypted.
    """
    for field, value in message.ListFields():
        if field.name == "search_attributes" or field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            entries = value.values()
            inner = list(entries) if field.message_type.fields_by_name["value"].message_type else []
        else:
            inner = [value] if isinstance(value, Message) else list(value)
        for each in inner:
            if isinstance(each, Payload):
                yield each
            else:
                yield from payloads_in(each)
