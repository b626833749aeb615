"""Named failpoints: places in every activity where a test lets something go wrong, on purpose.

Armed by the environment variable ``ZAHLTAG_FAILPOINT=<point>:<activity>:<mode>[:<nth>]``, for one
point of one activity; it strikes once in the life of a process, at the nth time the point is
passed. Not armed, nothing of this module is wired: ``reach`` finds nobody listening.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn

import structlog
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from domain.errors import RefusedError, TryLaterError
from models.settings import Settings

VARIABLE = "ZAHLTAG_FAILPOINT"
DIED = 137
# A doubled run cannot end before the first one's commit if it waits for its locks.
_OVERLAP = 0.1

log = structlog.get_logger()


class Point(StrEnum):
    """Where: around the effect, around its commits, and inside the protocol of a mail or letter."""

    BEFORE_EFFECT = "before_effect"
    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT = "after_commit"
    AFTER_MARK = "after_mark"
    AFTER_ACCEPTANCE = "after_acceptance"
    BEFORE_RETURN = "before_return"


_OF_A_MAIL = {Point.AFTER_MARK, Point.AFTER_ACCEPTANCE}
_MAILS = ("send_email", "send_notice", "tell_manager")


class Mode(StrEnum):
    """What: the process dies, an unexpected error, a refusal for good, or a doubled delivery."""

    EXIT = "exit"
    RAISE = "raise"
    REFUSE = "refuse"
    DUPLICATE = "duplicate"


class StruckError(Exception):
    """The error that the mode ``raise`` raises."""


@dataclass(frozen=True, slots=True)
class Failpoint:
    """One point of one activity, what happens there, and at which time it is passed."""

    point: Point
    activity: str
    mode: Mode
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.point}:{self.activity}:{self.mode}:{self.nth}"


@dataclass(frozen=True, slots=True)
class Passage:
    """A running activity passes a point. ``again`` runs it once more with the same request."""

    point: Point
    activity: str
    request: Any
    again: Callable[[], asyncio.Task[Any]]


_LISTENING: ContextVar[Callable[[Point], Awaitable[None]] | None] = ContextVar(
    "zahltag_failpoint", default=None
)


async def reach(point: str) -> None:
    """Say that the running activity passes this point; nothing happens where none is armed."""
    listening = _LISTENING.get()
    if listening is not None:
        await listening(Point(point))


class Points(Interceptor):
    """Says of every activity which points it passes; ``Armed`` makes something of it."""

    async def passed(self, passage: Passage) -> None:
        """Take note of a point that is passed; what this raises, the activity raises."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        """Wrap every activity, closest to its effect."""
        return _Watched(next, self.passed)


class _Watched(ActivityInboundInterceptor):
    def __init__(
        self, inner: ActivityInboundInterceptor, passed: Callable[[Passage], Awaitable[None]]
    ) -> None:
        super().__init__(inner)
        self._passed = passed

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401
        name = activity.info().activity_type
        doubled: list[asyncio.Task[Any]] = []

        async def alone() -> Any:  # noqa: ANN401 - what the activity returns
            _LISTENING.set(None)
            return await self.next.execute_activity(input)

        def again() -> asyncio.Task[Any]:
            doubled.append(asyncio.create_task(alone()))
            return doubled[-1]

        async def passes(point: Point) -> None:
            await self._passed(Passage(point, name, input.args[0], again))

        token = _LISTENING.set(passes)
        try:
            await passes(Point.BEFORE_EFFECT)
            result = await self.next.execute_activity(input)
            await passes(Point.BEFORE_RETURN)
        finally:
            _LISTENING.reset(token)
            outcomes = await asyncio.gather(*doubled, return_exceptions=True)
        for outcome in outcomes:
            # The second of two deliveries may be told to wait; any other error is a finding.
            if isinstance(outcome, BaseException) and not isinstance(outcome, TryLaterError):
                raise outcome
        return result


@dataclass
class Armed(Points):
    """Strikes at one failpoint, once; ``passages`` are the points that its activity passed."""

    failpoint: Failpoint
    passages: list[Point] = field(default_factory=list)

    async def passed(self, passage: Passage) -> None:
        """Strike if this is the point and the time."""
        if passage.activity != self.failpoint.activity:
            return
        self.passages.append(passage.point)
        mine = self.failpoint.point
        if passage.point is mine and self.passages.count(mine) == self.failpoint.nth:
            await self._strike(passage)

    async def _strike(self, passage: Passage) -> None:
        log.warning("failpoint_struck", failpoint=str(self.failpoint))
        if self.failpoint.mode is Mode.EXIT:
            os._exit(DIED)
        if self.failpoint.mode is Mode.RAISE:
            raise StruckError(f"The failpoint {self.failpoint} was reached.")
        if self.failpoint.mode is Mode.REFUSE:
            raise RefusedError(f"The failpoint {self.failpoint} was reached.")
        await double(passage)


async def double(passage: Passage) -> None:
    """Run the activity a second time: side by side with the first, or while that one waits here."""
    second = passage.again()
    if passage.point is Point.BEFORE_COMMIT:
        await asyncio.wait({second}, timeout=_OVERLAP)
    elif passage.point is not Point.BEFORE_EFFECT:
        await asyncio.wait({second})


def armed(
    environment: Mapping[str, str], settings: Settings, activities: Collection[str]
) -> Armed | None:
    """Return what the environment arms; None where the variable is not set.

    RefusedError where it is not understood, and where mail goes to a real mail server: a failpoint
    may make a customer get a mail twice. The embedded mailbox is the sign of a stack without
    customers.
    """
    if VARIABLE not in environment:
        return None
    failpoint = parse(environment[VARIABLE], activities)
    if settings.mailbox_dir is None:
        raise RefusedError(
            f"{VARIABLE} is set, but mail goes to a real mail server: failpoints work with the"
            " embedded mailbox only. Unset the variable."
        )
    log.warning(
        "FAILPOINT ARMED: this worker will misbehave on purpose; never with real cases",
        failpoint=str(failpoint),
    )
    return Armed(failpoint)


def parse(text: str, activities: Collection[str]) -> Failpoint:
    """Read ``<point>:<activity>:<mode>[:<nth>]``; RefusedError says what is wrong with it."""
    parts = text.split(":")
    if len(parts) not in {3, 4}:
        _refuse(text, "it needs the form <point>:<activity>:<mode>[:<nth>]")
    point, name, mode = parts[:3]
    nth = parts[3] if len(parts) == 4 else "1"
    if point not in list(Point):
        _refuse(text, f"its point must be one of: {', '.join(Point)}")
    if name not in activities:
        _refuse(text, f"its activity must be one of: {', '.join(activities)}")
    if mode not in list(Mode):
        _refuse(text, f"its mode must be one of: {', '.join(Mode)}")
    if not (nth.isascii() and nth.isdigit() and int(nth) > 0):
        _refuse(text, "the number at its end must be 1 or more")
    if point in _OF_A_MAIL and name not in _MAILS:
        _refuse(text, f"only {', '.join(_MAILS)} have the point {point}")
    return Failpoint(Point(point), name, Mode(mode), int(nth))


def _refuse(text: str, why: str) -> NoReturn:
    raise RefusedError(f"{VARIABLE}={text!r} is not a failpoint: {why}.")
