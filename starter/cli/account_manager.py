"""Account managers: who looks after customers."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, Column, say, show_list

group = typer.Typer(help="Account managers of customers.", no_args_is_help=True)

_COLUMNS = (
    Column("name", "name"),
    Column("email", "e-mail"),
    Column("customers", "customers", right=True),
)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="account-manager")


@group.command("list")
def list_managers(context: typer.Context, as_json: AsJson = False) -> None:
    """List all account managers; one without an e-mail address gets no mail."""
    rows = client_of(context).get("account-managers")
    show_list(rows, _COLUMNS, as_json=as_json, empty="There is no account manager.")


@group.command("set")
def set_manager(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="as the customers name it")],
    email: Annotated[str, typer.Option(help="where mails reach the account manager")],
    as_json: AsJson = False,
) -> None:
    """Set where mails reach an account manager."""
    done = client_of(context).post("account-managers", body={"name": name, "email": email})
    say(done, f"Mails reach {name} at {email}.", as_json=as_json)
