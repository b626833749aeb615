"""Logs of every process: one line an event, as text or JSON, without personal data."""

from __future__ import annotations

import copy
import logging
import sys
import traceback
from types import TracebackType

import structlog
from temporalio.exceptions import TemporalError

from domain.errors import RefusedError, TryLaterError
from models.payloads import UnreadablePayloadError
from models.settings import Settings

_Raised = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_PLAIN = (RefusedError, TryLaterError, UnreadablePayloadError, TemporalError, OSError)


def configure_logs(settings: Settings) -> None:
    """Set up structlog and send the standard library's logs the same way."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler()
    handler.setFormatter(DiscreetFormatter("%(asctime)s [%(levelname)s] %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


class DiscreetFormatter(logging.Formatter):
    """Shows of an exception its kind and its places in the code: its words may quote data.

    What is ours, or Temporal's word about ours, is said in full: it quotes nobody.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Format it anew: what another formatter made of the exception is kept in the record."""
        own = copy.copy(record)
        own.exc_text = None
        return super().format(own)

    def formatException(self, ei: _Raised) -> str:  # noqa: N802 - the standard library's name
        """Say it for the exception and its causes, the first cause first."""
        lines: list[str] = []
        error: BaseException | None = ei[1]
        while error is not None:
            said = f"{type(error).__name__}{_words(error)}"
            lines = ["".join(traceback.format_tb(error.__traceback__)) + said, *lines]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nthen\n".join(lines)


def _words(error: BaseException) -> str:
    plain = isinstance(error, _PLAIN)
    return f": {error}" if plain else " (its words are left out: they may name somebody)"
