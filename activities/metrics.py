"""Counts what activities do, for Prometheus: by step and outcome, never by case or customer."""

from __future__ import annotations

from contextvars import ContextVar
from email.message import EmailMessage
from typing import Any

from temporalio import activity
from temporalio.common import MetricCounter, MetricMeter
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from connectors.mail import (
    Acceptance,
    Mailer,
    MailNotSentError,
    MailOutcomeUnknownError,
    MailRefusedError,
)
from models.store import repetition

_MAIL_OUTCOMES: tuple[tuple[type[Exception], str], ...] = (
    (MailRefusedError, "refused"),
    (MailNotSentError, "not_sent"),
    (MailOutcomeUnknownError, "unknown"),
)


_ALONG: ContextVar[list[tuple[str, str]] | None] = ContextVar("along", default=None)


def brought_along(step: str, outcome: str) -> None:
    """Note an effect that the running activity brings about besides its own."""
    along = _ALONG.get()
    if along is not None:
        along.append((step, outcome))


class CountEffects(Interceptor):
    """Counts every attempt at an effect: done, repeated (it was done before), refused, failed.

    It stands outside of ``PlainErrors``, whose word for a refusal it reads.
    """

    def __init__(self, meter: MetricMeter) -> None:
        self._effects = meter.create_counter(
            "zahltag_effects", "attempts at effects by step and outcome"
        )

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap every activity."""
        return _Counting(next, self._effects)


class _Counting(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, effects: MetricCounter) -> None:
        super().__init__(following)
        self._effects = effects

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401
        outcome, along = "failed", list[tuple[str, str]]()
        token = _ALONG.set(along)
        try:
            with repetition.watching() as done_before:
                answer = await self.next.execute_activity(input)
            outcome = "repeated" if done_before else "done"
        except ApplicationError as error:
            outcome = "refused" if error.non_retryable else "failed"
            raise
        else:
            return answer
        finally:
            _ALONG.reset(token)
            for step, how in ((activity.info().activity_type, outcome), *along):
                self._effects.add(1, {"step": step, "outcome": how})


class CountingMailer:
    """A mailer that counts how its mails end: sent, refused, not_sent (tried again), unknown."""

    def __init__(self, mailer: Mailer, meter: MetricMeter) -> None:
        self._mailer = mailer
        self._mails = meter.create_counter("zahltag_mails", "attempts at mails by outcome")

    async def send(self, message: EmailMessage) -> None:
        """Send it, and count."""
        outcome = "failed"
        try:
            await self._mailer.send(message)
            outcome = "sent"
        except Exception as error:
            outcome = next((w for kind, w in _MAIL_OUTCOMES if isinstance(error, kind)), outcome)
            raise
        finally:
            self._mails.add(1, {"outcome": outcome})

    async def accepted(self, message_id: str) -> Acceptance:
        """Ask the mailer."""
        return await self._mailer.accepted(message_id)
