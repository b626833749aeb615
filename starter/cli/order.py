"""Orders: submit one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, print_json

group = typer.Typer(help="Orders and won deals.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="order")


@group.command()
def submit(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="the order as JSON; - reads it from stdin")],
    source: Annotated[
        str, typer.Option(help="whose format it is: shopify, woocommerce, shopware, crm, zahltag")
    ],
    channel: Annotated[
        str | None, typer.Option(help="the shop it comes from (else named like the source)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take an order in and print the id of its case; the same file again changes nothing."""
    content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    query = {"source": source, "channel": channel}
    taken = client_of(context).send("POST", ("orders",), content, query).json()
    if as_json:
        print_json(taken)
        return
    typer.echo(taken["case_id"])
    if taken["known"]:
        typer.echo("This order was known; nothing was changed.", err=True)
