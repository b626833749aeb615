"""What an error of ours means to Temporal."""

from __future__ import annotations

import traceback
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.exc import IntegrityError
from temporalio.api.failure.v1 import Failure
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from activities.services import PlainErrors
from connectors.mail import MailRefusedError
from domain.dunning import case as dunning
from domain.errors import ConflictError, TryLaterError
from domain.order_case import Step
from worker import activities_of, dunning_activities_of, run_activities_of
from workflows.policies import POLICIES


class Raising(ActivityInboundInterceptor):
    """An activity that fails with a given error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def execute_activity(self, _input: ExecuteActivityInput) -> None:
        """Fail."""
        raise self.error


async def outcome(error: Exception) -> BaseException:
    """Return what Temporal gets to see of an error."""
    chain = PlainErrors().intercept_activity(Raising(error))
    with pytest.raises(Exception) as seen:  # noqa: PT011 - its kind is the question
        await chain.execute_activity(ExecuteActivityInput(len, [], None, {}))
    return seen.value


async def test_a_refusal_is_final() -> None:
    """A rule of the business is not asked twice."""
    seen = await outcome(ConflictError("no"))

    assert isinstance(seen, ApplicationError)
    assert seen.non_retryable
    assert (seen.type, seen.message) == ("ConflictError", "no")


async def test_a_pause_that_was_asked_for_is_kept() -> None:
    """``Retry-After`` wins over the policy's backoff."""
    seen = await outcome(TryLaterError("busy", timedelta(seconds=42)))

    assert isinstance(seen, ApplicationError)
    assert not seen.non_retryable
    assert seen.next_retry_delay == timedelta(seconds=42)


async def test_anything_else_is_repeated() -> None:
    """A bug or an outage is retried by the policy."""
    seen = await outcome(OSError("away"))

    assert isinstance(seen, ApplicationError)
    assert not seen.non_retryable
    assert (seen.type, seen.message) == ("OSError", "away")
    assert seen.__traceback__


async def test_no_error_quotes_anybody() -> None:
    """Neither the words of a foreign error nor its cause reach Temporal: both stay for months."""
    secret = "Key (email)=(k.brandt@brandt-soehne.example) already exists"
    cause = ValueError(secret)
    errors = [
        KeyError(secret),
        IntegrityError("insert ...", {"email": secret}, cause),
        asyncpg.UniqueViolationError(secret),
        MailRefusedError(550, "<k.brandt@brandt-soehne.example> is unknown"),
        ConflictError("There is one already."),
        TryLaterError("busy", timedelta(seconds=1)),
    ]
    for error in errors:
        error.__cause__ = cause
        seen = await outcome(error)
        assert "brandt" not in "".join(traceback.format_exception(seen))
        failure = Failure()
        converter = DataConverter.default
        converter.failure_converter.to_failure(seen, converter.payload_converter, failure)
        assert "brandt" not in str(failure)


def test_every_step_has_its_activity_and_policy() -> None:
    """What a plan can ask for exists under that name, and says how it is repeated."""
    names = {activity.__name__ for activity in activities_of(None)}  # type: ignore[arg-type]
    steps = {step.value for step in Step} - {Step.WAIT, Step.END}

    assert names == steps | {"take_decision"}


def test_every_step_of_dunning_has_its_activity() -> None:
    """The same for dunning cases."""
    names = {one.__name__ for one in dunning_activities_of(None)}  # type: ignore[arg-type]
    steps = {step.value for step in dunning.Step} - {dunning.Step.WAIT, dunning.Step.END}
    beside = {"look_at_dunning", "report_dunning_failure", "take_dunning_decision"}

    assert names == steps | beside


def test_every_activity_has_a_policy() -> None:
    """And nothing else has one."""
    of_cases = {*activities_of(None), *dunning_activities_of(None)}  # type: ignore[arg-type]
    names = {one.__name__ for one in {*of_cases, *run_activities_of(None)}}  # type: ignore[arg-type]

    assert set(POLICIES) == names | {"fetch_order"}
