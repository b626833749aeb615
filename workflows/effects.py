"""Run one activity by the policy of its kind."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.messages import DecisionRequest, Progress, StepRequest
    from workflows.policies import LOCAL_DEADLINE, LOCAL_TRIES, POLICIES


async def run_effect(name: str, request: StepRequest | DecisionRequest, summary: str) -> Progress:
    """Bring the effect about and return where the case stands afterwards.

    Raises ``ActivityError`` when repeating cannot mend it: a rule of the business refused it, or
    its deadline has passed.
    """
    policy = POLICIES[name]
    if policy.local:
        try:
            progress: Progress = await workflow.execute_local_activity(
                name,
                request,
                result_type=Progress,
                schedule_to_close_timeout=LOCAL_DEADLINE,
                retry_policy=LOCAL_TRIES,
                summary=summary,
            )
        except ActivityError as error:
            if was_refused(error):
                raise
            workflow.logger.warning("%s goes on as a visible activity", name)
        else:
            return progress
    progress = await workflow.execute_activity(
        name,
        request,
        result_type=Progress,
        start_to_close_timeout=policy.one_try,
        schedule_to_close_timeout=policy.give_up_after,
        retry_policy=policy.retry,
        summary=summary,
    )
    return progress


def was_refused(error: ActivityError) -> bool:
    """Whether a rule of the business refused the effect, so that no repetition can help."""
    return isinstance(error.cause, ApplicationError) and error.cause.non_retryable


def reason_of(error: ActivityError) -> str:
    """Return what went wrong, in the words of the activity."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.message
    return f"it did not succeed in time ({cause or error})"
