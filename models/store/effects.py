"""The effect envelope: an effect in our database and its key commit together, or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from domain.errors import ConflictError
from models.codec import Json, digest
from models.messages import DecisionRequest, StepRequest
from models.tables import Effect


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
    statement = (
        insert(Effect)
        .values(
            key=request.key,
            case_id=request.case_id,
            step=request.key.split(":")[1],
            request_sha256=asked,
            result={},
            done_at=request.at,
        )
        .on_conflict_do_nothing()
        .returning(col(Effect.key))
    )
    if (await session.exec(statement)).scalar_one_or_none() is None:
        stored = (await session.exec(select(Effect).where(Effect.key == request.key))).one()
        if stored.request_sha256 != asked:
            raise ConflictError(f"The effect {request.key} was asked for with other content.")
        return stored.result
    result = await effect()
    if result:
        await session.exec(
            update(Effect).where(col(Effect.key) == request.key).values(result=result)
        )
    return result


def _fingerprint(request: StepRequest | DecisionRequest) -> str:
    return digest(request.model_dump(mode="json", exclude={"at", "failure"}))
