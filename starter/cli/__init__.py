"""The command line: a thin client that says in one sentence what went wrong.

A module of commands is added by one line in ``MODULES``: it has ``register(app)``. Modules import
what is slow (Temporal, SQLModel) inside their commands, so that ``--help`` stays fast.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from domain.errors import RefusedError
from starter.stack.datadir import DataDir

MODULES = tuple(
    f"starter.cli.{name}"
    for name in (
        *("stack", "order", "case", "payment", "invoice", "mail", "customer", "task"),
        *("exception", "approval", "ledger", "company", "channel"),
    )
)

app = typer.Typer(
    name="zahltag",
    help="Zahltag: from the order to the money in the bank, and the books.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@dataclass(frozen=True, slots=True)
class Context:
    """What the global options say: the stack to work with, and the user to act as."""

    data: DataDir
    user: str


@app.callback()
def _options(
    context: typer.Context,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="where the stack keeps its data (else ZAHLTAG_DATA_DIR, else .zahltag)"),
    ] = None,
    as_user: Annotated[
        str, typer.Option("--as", metavar="USER", help="the user to act as")
    ] = "admin",
) -> None:
    context.obj = Context(DataDir.at(data_dir), as_user)


def main() -> None:
    """Run one command; whatever it refuses is one sentence on stderr and exit 1."""
    for module in MODULES:
        importlib.import_module(module).register(app)
    try:
        app()
    except RefusedError as refused:
        typer.echo(refused.message, err=True)
        for problem in refused.problems:
            typer.echo(f"  {problem}", err=True)
        sys.exit(1)
    except OSError as error:
        if not error.filename:
            raise
        typer.echo(f"{error.filename}: {error.strerror}.", err=True)
        sys.exit(1)
