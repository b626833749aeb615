"""What activities work with, and how their refusals reach workflows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from connectors.mail import Mailer
from domain.errors import RefusedError, TryLaterError
from models.settings import Settings
from models.store.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """The database, the mail connector and the settings of this worker."""

    database: Database
    mailer: Mailer
    settings: Settings


class PlainErrors(Interceptor):
    """Says in Temporal's terms what an error of ours means.

    A rule of the business that refuses an effect is final and not repeated. A pause that the other
    side asked for is kept instead of the policy's own.
    """

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap every activity."""
        return _Saying(next)


class _Saying(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401
        try:
            return await self.next.execute_activity(input)
        except RefusedError as error:
            raise ApplicationError(
                error.message, type=type(error).__name__, non_retryable=True
            ) from error
        except TryLaterError as error:
            raise ApplicationError(
                error.message, type="TryLater", next_retry_delay=error.after
            ) from error
