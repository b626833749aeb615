"""What activities work with, and how their refusals reach workflows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
)

from connectors.letter_spool import LetterSpool
from connectors.letters import LetterError, LetterService
from connectors.mail import Mailer, MailError
from domain.errors import RefusedError, TryLaterError
from models.settings import Settings
from models.store.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """The database, the connectors and the settings of this worker.

    ``letters``: by default there is no folder for letters, and each is refused for now.
    ``together``: a step brings about what plainly follows from it (``activities.following``). Tests
    that look at each step by itself switch it off.
    """

    database: Database
    mailer: Mailer
    settings: Settings
    letters: LetterService = field(default_factory=lambda: LetterSpool(None))
    together: bool = True


class PlainErrors(Interceptor):
    """Says in Temporal's terms what an error means, without personal data.

    A rule of the business that refuses an effect is final and not repeated. A pause that the other
    side asked for is kept instead of the policy's own. Causes are cut off: the words of a mail
    server quote addresses, those of a database values, and they would stay in histories and logs.
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
            ).with_traceback(error.__traceback__) from None
        except TryLaterError as error:
            raise ApplicationError(
                error.message, type="TryLater", next_retry_delay=error.after
            ).with_traceback(error.__traceback__) from None
        except FailureError:
            raise
        except Exception as error:  # noqa: BLE001 - repeated by the policy, whatever it is
            raise ApplicationError(discreet(error), type=type(error).__name__).with_traceback(
                error.__traceback__
            ) from None


def discreet(error: Exception) -> str:
    """Say what an error says if it can quote nobody, else only of which kind it is."""
    # Errors of mails and letters quote no addresses; a test says so.
    if isinstance(error, MailError | LetterError | OSError):
        return str(error) or type(error).__name__
    if isinstance(error, asyncpg.PostgresError):
        return f"{type(error).__name__} ({error.sqlstate}): see the stack trace"
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlstate", None) or "no code"
        return f"{type(error.__cause__ or error.orig).__name__} ({code}): see the stack trace"
    return f"{type(error).__name__}: see the stack trace"
