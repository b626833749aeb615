"""People's decisions on their way into a case: each is taken once, in the order in which they came.

Update and signal end in the same place: a command waits here until the case's own loop takes it, so
that nothing is decided beside a step that is under way.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from models.messages import Command

REMEMBERED = 200
P = TypeVar("P")


class Decisions(Generic[P]):
    """The commands that wait, the answers to those that were taken, and which were seen."""

    def __init__(self, seen: tuple[str, ...]) -> None:
        self._seen = list(seen)
        self._waiting: list[tuple[str, Command]] = []
        self._answers: dict[str, P | str] = {}

    def __bool__(self) -> bool:
        """Tell whether a command waits."""
        return bool(self._waiting)

    @property
    def seen(self) -> tuple[str, ...]:
        """The ids of commands that were taken: they outlive a continue-as-new."""
        return tuple(self._seen)

    @property
    def first(self) -> tuple[str, Command]:
        """The name and the command that has waited longest."""
        return self._waiting[0]

    def knows(self, command: Command) -> bool:
        """Tell whether a command was taken before."""
        return command.id in self._seen

    def must_wait_for(self, wanted: str, waiting: str, name: str, command: Command) -> None:
        """Refuse an update that nothing waits for; what is stored or known is no new decision."""
        if not (command.stored or self.knows(command) or waiting == wanted):
            raise ApplicationError(
                f"The case waits for {waiting}, so there is nothing to {name}.", type="WrongState"
            )

    def note(self, name: str, command: Command) -> None:
        """Let a command wait; one that is known changes nothing."""
        if command.id not in self._seen and all(c.id != command.id for _, c in self._waiting):
            self._waiting.append((name, command))

    async def decide(self, name: str, command: Command, now: P | None) -> P:
        """Let a command wait and return its answer; ``now`` answers one that was taken before."""
        if command.id in self._seen and now is not None:
            return now
        self.note(name, command)
        await workflow.wait_condition(lambda: command.id in self._answers)
        answer = self._answers[command.id]
        if isinstance(answer, str):
            raise ApplicationError(answer, type="Refused", non_retryable=True)
        return answer

    def answer(self, answer: P | str) -> None:
        """Answer the first command: what it led to, or in words why it was refused."""
        _, command = self._waiting.pop(0)
        self._answers[command.id] = answer
        self._seen = [*self._seen, command.id][-REMEMBERED:]
