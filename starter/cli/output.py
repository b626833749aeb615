"""What commands print: tables for people, or exactly one JSON value for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple

import typer

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
WIDTH = 100  # where there is no terminal to ask

Row = Mapping[str, Any]


class Column(NamedTuple):
    """One column of a table: which key, under which heading, numbers to the right."""

    key: str
    heading: str
    right: bool = False
    whole: bool = False


def print_json(value: Any) -> None:  # noqa: ANN401 - any JSON value
    """Print one JSON value and nothing else."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def show_list(rows: list[Any], columns: Iterable[Column], *, as_json: bool, empty: str) -> None:
    """Print a list; an empty one is a sentence for people and ``[]`` for programs."""
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, columns)
    else:
        typer.echo(empty)


def print_table(rows: Iterable[Row], columns: Iterable[Column]) -> None:
    """Print a table that stays readable at 100 characters: long cells are folded."""
    from rich.console import Console  # noqa: PLC0415 - slow to import
    from rich.table import Table  # noqa: PLC0415 - slow to import
    from rich.text import Text  # noqa: PLC0415 - slow to import

    terminal = sys.stdout.isatty()
    console = Console(width=None if terminal else WIDTH, no_color="NO_COLOR" in os.environ or None)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown = list(columns)
    for column in shown:
        table.add_column(
            column.heading,
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=column.right or column.whole,
        )
    for row in rows:
        table.add_row(*(Text(text_of(row.get(column.key))) for column in shown))
    console.print(table)


def print_fields(value: Row, *, leave_out: Iterable[str] = ()) -> None:
    """Print one thing as lines ``name: value``; lists and objects inside are the caller's."""
    names = [name for name in value if name not in set(leave_out)]
    widest = max(map(len, names), default=0)
    for name in names:
        typer.echo(f"{name.replace('_', ' ') + ':':<{widest + 1}}  {text_of(value[name])}")


def show_object(value: Row, *, as_json: bool) -> None:
    """Print one thing whose parts are all simple."""
    if as_json:
        print_json(value)
    else:
        print_fields(value)


def say(done: Row, sentence: str, *, as_json: bool) -> None:
    """Say what a command did, or that it was known."""
    if as_json:
        print_json(done)
    else:
        typer.echo("This was known; nothing was changed." if done["known"] else sentence)


def text_of(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a value for people."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(text_of(one) for one in value) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {text_of(one)}" for name, one in value.items()) or "-"
    return str(value)


def moment(iso: str | None) -> str:
    """Write an instant without its fractions: ``2026-11-20 12:30:05Z``."""
    return (iso or "-").replace("T", " ").partition(".")[0].removesuffix("Z") + ("Z" if iso else "")
