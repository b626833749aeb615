"""The effect envelope: an effect in our database and its key commit together, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import ConflictError
from models.codec import Json, digest
from models.messages import DecisionRequest, StepRequest
from models.store.repetition import found_done
from models.store.sql import Statement

_TAKE = Statement("""
insert into effect (key, case_id, step, request_sha256, result, done_at)
  values (:key, :case_id, :step, :asked, '{}', :at) on conflict do nothing returning key
""")
_STORED = Statement("select request_sha256, result from effect where key = :key")
_KEEP = Statement("update effect set result = :result where key = :key")


async def once(
    session: AsyncSession,
    request: StepRequest | DecisionRequest,
    effect: Callable[[], Awaitable[Json]],
) -> Json:
    """Run ``effect`` if this key never succeeded before, else return what it returned then.

    Two at the same time: the second waits for the first and gets its result. The same key with
    another request is a ConflictError: it would mean that two effects share a name.
    """
    asked = _fingerprint(request)
    taken = await _TAKE.value(
        session,
        key=request.key,
        case_id=request.case_id,
        step=request.key.split(":")[1],
        asked=asked,
        at=request.at,
    )
    if taken is None:
        stored = await _STORED.one(session, key=request.key)
        if stored["request_sha256"] != asked:
            raise ConflictError(f"The effect {request.key} was asked for with other content.")
        found_done(request.key)
        kept: Json = stored["result"]
        return kept
    result = await effect()
    if result:
        await _KEEP.run(session, key=request.key, result=result)
    return result


def _fingerprint(request: StepRequest | DecisionRequest) -> str:
    return digest(request.model_dump(mode="json", exclude={"at", "failure"}))
