"""The embedded mailbox: what went out."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, Column, print_fields, print_json, show_list

group = typer.Typer(help="Mails that went out (embedded mailbox).", no_args_is_help=True)

COLUMNS = (
    Column("id", "id", whole=True),
    Column("kind", "kind", whole=True),
    Column("to", "to"),
    Column("subject", "subject"),
)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="mail")


@group.command("list")
def list_mails(context: typer.Context, as_json: AsJson = False) -> None:
    """List every mail, oldest first."""
    rows = client_of(context).get("mails")
    show_list(rows, COLUMNS, as_json=as_json, empty="No mail went out yet.")


@group.command()
def show(
    context: typer.Context,
    mail: Annotated[str, typer.Argument(metavar="ID", help="the mail's id")],
    as_json: AsJson = False,
) -> None:
    """Show one mail with its text."""
    found = client_of(context).get("mails", mail)
    if as_json:
        print_json(found)
        return
    print_fields(found, leave_out=("text", "html", "files"))
    typer.echo(f"\n{found['text']}")
