"""Tables of small stand-in processes, named in ``ZAHLTAG_STACK_TABLE``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starter.stack.table import ProcessSpec, python, servers_only

if TYPE_CHECKING:
    from starter.stack.datadir import DataDir


def two(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    """Two processes that only beat: a stack that starts in a second."""
    return [
        python("first", data, ports, "tests.stack.standin"),
        python("second", data, ports, "tests.stack.standin", after=("first",)),
    ]


def broken(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    """One process that beats and one that ends at once."""
    return [*two(data, ports)[:1], python("broken", data, ports, "tests.stack.no_such_module")]


def only_postgres(data: DataDir, ports: dict[str, int]) -> list[ProcessSpec]:
    """The database alone."""
    return [spec for spec in servers_only(data, ports) if spec.name == "postgres"]
