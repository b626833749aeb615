"""Imports of files: open items from the system that was used before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, print_json

group = typer.Typer(help="Take over what another system knows.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="import")


@group.command("open-items")
def open_items(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV in UTF-8; docs/dunning.md lists the columns")],
    as_json: AsJson = False,
) -> None:
    """Import open items with their dunning history: all of the file, or nothing."""
    with file.open("rb") as content:
        done = client_of(context).upload("imports", "open-items", content=content)
    if as_json:
        print_json(done)
    elif not done["invoices"]:
        typer.echo(f"Known before: {done['lines']} open items; nothing was changed.")
    else:
        known = f"; known before: {done['known']}" if done["known"] else ""
        typer.echo(
            f"Imported: {done['invoices']} open items, {done['customers']} new customers{known}."
        )


@group.command("account-managers")
def account_managers(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(help="CSV: customer_no,manager,email; or DATEV's customer master data")
    ],
    manager_column: Annotated[
        str | None, typer.Option(help="DATEV's column with the name (else Sachbearbeiter)")
    ] = None,
    customer_column: Annotated[
        str | None, typer.Option(help="DATEV's column with the customer's number (else Konto)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Import who looks after which customer: all of the file, or nothing."""
    with file.open("rb") as content:
        done = client_of(context).upload(
            *("imports", "account-managers"),
            content=content,
            manager_column=manager_column,
            customer_column=customer_column,
        )
    if as_json:
        print_json(done)
    elif not done["customers"] and not done["managers"]:
        typer.echo(f"Known before: {done['lines']} customers; nothing was changed.")
    else:
        typer.echo(
            f"Imported: {done['customers']} of {done['lines']} customers have another account"
            f" manager; {done['managers']} addresses of account managers are new."
        )
