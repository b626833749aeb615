"""Run one activity by the policy of its kind.

A cancellation of the workflow does not abandon an effect under way: what it did is known before
anything is undone.
"""

from __future__ import annotations

from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    is_cancelled_exception,
)
from temporalio.workflow import ActivityCancellationType

with workflow.unsafe.imports_passed_through():
    from models.messages import DecisionRequest, Message, Progress, StepRequest
    from workflows.policies import LOCAL_DEADLINE, LOCAL_TRIES, LOCAL_TRY, POLICIES, SILENCE

P = TypeVar("P")


class EffectFailedError(Exception):
    """Repeating cannot mend it: a rule of the business refused, or the deadline has passed.

    ``refused`` tells which; ``reason`` says it in words.
    """

    def __init__(self, reason: str, *, refused: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.refused = refused


async def run_effect(
    name: str, request: StepRequest | DecisionRequest, summary: str, *, regular: bool = False
) -> Progress:
    """Bring an effect of an order's case about; return where that stands, or EffectFailedError."""
    return await effect_of(Progress, name, request, summary, regular=regular)


async def effect_of(
    answer: type[P], name: str, request: Message, summary: str, *, regular: bool = False
) -> P:
    """Bring the effect about and return what comes of it, or EffectFailedError.

    ``regular``: not inside the workflow task, whatever the policy says.
    """
    policy = POLICIES[name]
    if policy.local and not regular:
        try:
            return await _run_local(answer, name, request, summary)
        except FailureError as error:
            if is_cancelled_exception(error):
                raise
            if (failure := _failure(error)).refused:
                raise failure from error
            workflow.logger.warning("%s goes on as a visible activity", name)
    try:
        progress: P = await workflow.execute_activity(
            name,
            request,
            result_type=answer,
            start_to_close_timeout=policy.one_try,
            heartbeat_timeout=SILENCE,
            schedule_to_close_timeout=policy.give_up_after,
            retry_policy=policy.retry,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            summary=summary,
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        raise _failure(error) from error
    return progress


async def _run_local(answer: type[P], name: str, request: Message, summary: str) -> P:
    progress: P = await workflow.execute_local_activity(
        name,
        request,
        result_type=answer,
        start_to_close_timeout=LOCAL_TRY,
        schedule_to_close_timeout=LOCAL_DEADLINE,
        retry_policy=LOCAL_TRIES,
        cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        summary=summary,
    )
    return progress


def _failure(error: FailureError) -> EffectFailedError:
    """Say what went wrong. A regular activity wraps its cause in an ActivityError.

    A local one raises an ApplicationError bare; and a timeout wrapped, but bare when replayed.
    """
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        return EffectFailedError(cause.message, refused=cause.non_retryable)
    last = cause.cause if isinstance(cause, FailureError) else None
    why = last.message if isinstance(last, ApplicationError) else str(cause or error)
    return EffectFailedError(f"it did not succeed in time: {why}", refused=False)
