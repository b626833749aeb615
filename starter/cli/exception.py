"""Exceptions: what waits for a person, with field, expectation, owner and age."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, Column, show_list, show_object

group = typer.Typer(help="What waits for a person.", no_args_is_help=True)

_COLUMNS = (
    Column("id", "id", right=True),
    Column("case_id", "case"),
    Column("kind", "kind"),
    Column("field", "field"),
    Column("expected", "expected"),
    Column("owner", "owner"),
    Column("age", "age", right=True),
)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="exception")


@group.command("list")
def list_exceptions(context: typer.Context, as_json: AsJson = False) -> None:
    """List what is open, oldest first."""
    rows = client_of(context).get("exceptions")
    show_list(rows, _COLUMNS, as_json=as_json, empty="Nothing waits for a person.")


@group.command()
def show(
    context: typer.Context,
    exception: Annotated[str, typer.Argument(metavar="ID", help="the exception's id")],
    as_json: AsJson = False,
) -> None:
    """Show one exception."""
    show_object(client_of(context).get("exceptions", exception), as_json=as_json)
