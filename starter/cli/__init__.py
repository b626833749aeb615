"""The command line: a thin client that says in one sentence what went wrong.

A module of commands is added by one line in ``MODULES``: it has ``register(app)``. Modules import
what is slow (Temporal, SQLModel) inside their commands, so that ``--help`` stays fast.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from domain.errors import RefusedError
from starter.cli.leaving import run_and_leave
from starter.stack.datadir import DataDir

# Which module has which commands: only what is asked for is imported.
MODULES: Mapping[str, tuple[str, ...]] = {
    "stack": ("up", "down", "status", "doctor", "migrate"),
    "demo": ("demo",),
    "order": ("order",),
    "case": ("case",),
    "payment": ("payment",),
    "invoice": ("invoice",),
    "mail": ("mail",),
    "customer": ("customer",),
    "task": ("task",),
    "exception": ("exception",),
    "approval": ("approval",),
    "ledger": ("ledger", "audit"),
    "company": ("company",),
    "channel": ("channel",),
    "payload_key": ("payload-key",),
    "backup": ("backup",),
    "routing": ("routing",),
    "imports": ("import",),
    "rule": ("rule",),
    "notice": ("notice",),
    "agreement": ("promise", "instalments"),
    "block": ("dispute", "block"),
    "call": ("call",),
    "account_manager": ("account-manager",),
    "template": ("template",),
}
GLOBAL_OPTIONS = ("--data-dir", "--as")

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


def modules_for(arguments: list[str]) -> list[str]:
    """Return the modules whose commands are named, or all of them (for --help, say)."""
    named = [module for module, commands in MODULES.items() if {*commands} & {*arguments}]
    return named or list(MODULES)


def globals_first(arguments: list[str]) -> list[str]:
    """Let the global options stand anywhere: ``case list --as anna`` too."""
    front: list[str] = []
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if argument in GLOBAL_OPTIONS:
            front += [argument, *islice(remaining, 1)]
        elif argument.startswith(tuple(f"{option}=" for option in GLOBAL_OPTIONS)):
            front.append(argument)
        else:
            rest.append(argument)
    return [*front, *rest]


def zahltag() -> NoReturn:
    """Run one command and end the process with its exit code: what the shell calls."""
    run_and_leave(main)


def main() -> None:
    """Run one command; whatever it refuses is one sentence on stderr and exit 1."""
    arguments = globals_first(sys.argv[1:])
    for module in modules_for(arguments):
        importlib.import_module(f"starter.cli.{module}").register(app)
    try:
        app(arguments)
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
