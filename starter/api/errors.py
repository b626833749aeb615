"""Every refusal in one shape: ``{"error": "one plain sentence", "problems": [...]}``.

Nothing of the inside gets out: no traceback, no SQL; and nothing personal gets into the log.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connectors.signatures import SignatureError
from domain.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    NotJsonError,
    NotReadyError,
    Problem,
    RefusedError,
    TryLaterError,
)

log = structlog.get_logger("api")


_STATUS: tuple[tuple[type[RefusedError], int], ...] = (
    (NotJsonError, 400),
    (SignatureError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (NotReadyError, 503),
)
_ROUTING = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
}
_EXPECTED = {
    "missing": "a value",
    "extra_forbidden": "no field of that name",
    "string_type": 'text (in JSON: in quotes, such as "119.00")',
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "dict_type": "an object",
    "model_attributes_type": "one JSON object",
}


def answer(
    status: int,
    sentence: str,
    problems: Iterable[Problem] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return a refusal."""
    found = [{"field": p.field, "expected": p.expected, "found": p.found} for p in problems]
    return JSONResponse({"error": sentence, "problems": found}, status, headers)


def add_handlers(app: FastAPI) -> None:
    """Make the app answer every refusal in our shape."""
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


class Guard:
    """The outermost layer: an error that nobody expected is logged and answered with a sentence."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app; where it fails before its answer began, answer for it."""
        began = False

        async def watched(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            log.info("the sender has gone away", path=scope["path"])
        except Exception as error:
            if scope["type"] != "http" or began:
                raise
            await _unexpected(scope, error)(scope, receive, send)


def _unexpected(scope: Scope, error: Exception) -> JSONResponse:
    if _sqlstate(error) == asyncpg.DiskFullError.sqlstate:
        log.error("the disk of the database is full", path=scope["path"])
        return answer(
            503, "The disk of the database is full: nothing was stored. Free space, then try again."
        )
    if _is_outage(error):
        log.warning("the database is away", path=scope["path"], error=type(error).__name__)
        return answer(503, "The database cannot be reached now; try again in a moment.")
    # Two changes of the same wait for each other, or one would have had to wait in the wrong order.
    if (
        isinstance(error, TryLaterError)
        or _sqlstate(error) == asyncpg.DeadlockDetectedError.sqlstate
    ):
        log.warning("two changes crossed", path=scope["path"])
        return answer(
            503,
            "Somebody else was changing the same at this moment: nothing was changed; try again.",
        )
    # Messages of errors may quote data, so only the kind and the places in the code are logged.
    places = [f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)]
    log.error("unexpected", path=scope["path"], error=type(error).__name__, places=places[-8:])
    return answer(500, "Something went wrong inside Zahltag; nothing was changed. See the API log.")


def _sqlstate(error: Exception) -> str | None:
    """Return PostgreSQL's code of an error, whether the driver raised it or SQLAlchemy."""
    said = error.orig if isinstance(error, DBAPIError) else error
    state: str | None = getattr(said, "sqlstate", None)
    return state


def _is_outage(error: Exception) -> bool:
    """Whether the database went away or did not answer; a refused statement is no outage.

    A pool whose connections are all taken for too long counts as one: later there will be room.
    """
    if isinstance(error, OSError | TimeoutError | PoolTimeoutError):
        return True
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or _sqlstate(error) in {"57P01", "57P03"}
    )


async def _refused(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RefusedError):  # pragma: no cover - registered for it alone
        raise error
    return refusal(error)


def refusal(error: RefusedError) -> JSONResponse:
    """Return the answer to a request that our rules refuse."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 422)
    return answer(status, error.message, error.problems)


async def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):  # pragma: no cover - registered for it alone
        raise error
    return http_refusal(error)


def http_refusal(error: HTTPException) -> JSONResponse:
    """Return the answer to a request that HTTP itself refuses: no such address, too large."""
    return answer(error.status_code, _ROUTING.get(error.status_code, error.detail))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):  # pragma: no cover - registered for it alone
        raise error
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        return answer(400, "The body is not JSON; send one JSON object.")
    problems = tuple(validation_problem(one) for one in found)
    said = "; ".join(str(problem) for problem in problems)
    return answer(422, f"The request was refused: {said}.", problems)


def validation_problem(error: Mapping[str, Any]) -> Problem:
    """Say one finding of pydantic in plain words."""
    place = [str(part) for part in error["loc"] if part not in {"body", "query", "path", "header"}]
    expected = _EXPECTED.get(error["type"]) or _plain(str(error["msg"]))
    given = error.get("input")
    simple = isinstance(given, str | int | float) and error["type"] != "missing"
    shown = "nothing" if error["type"] == "missing" else repr(given)[:60] if simple else ""
    return Problem(".".join(place) or "the body", expected, shown)


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Input should be ")
    return message[:1].lower() + message[1:]
