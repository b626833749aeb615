"""Channels: configured connections to shops and payment providers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, Column, print_json, show_list

group = typer.Typer(help="Connections to shops and providers.", no_args_is_help=True)

_COLUMNS = (
    Column("name", "channel"),
    Column("source", "source"),
    Column("address", "webhook address"),
)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="the channel's name")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="channel")


@group.command("list")
def list_channels(context: typer.Context, as_json: AsJson = False) -> None:
    """List all channels with their webhook addresses."""
    rows = client_of(context).get("channels")
    show_list(rows, _COLUMNS, as_json=as_json, empty="There is no channel.")


@group.command("set")
def set_channel(
    context: typer.Context,
    name: _Name,
    source: Annotated[
        str, typer.Option(help="shopify, woocommerce, shopware, zahltag or payments")
    ],
    secret_file: Annotated[
        Path | None, typer.Option(help="file with the webhook secret; - reads it from stdin")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a channel, or give one another secret; without one a new channel gets its own."""
    body: dict[str, str] = {"source": source}
    if secret_file:
        given = sys.stdin.read() if str(secret_file) == "-" else secret_file.read_text("utf-8")
        body["secret"] = given.strip()
    done = client_of(context).put("channels", name, body=body)
    if as_json:
        print_json(done)
        return
    typer.echo(
        f"Channel {name} was known; nothing was changed."
        if done["known"]
        else f"Channel {name} is set. Its webhook address: {done['address']}"
    )
    if done["secret"]:
        typer.echo(f"Its secret: {done['secret']}")


@group.command()
def secret(context: typer.Context, name: _Name) -> None:
    """Print a channel's secret, to be typed into the shop."""
    typer.echo(client_of(context).get("channels", name, "secret")["secret"])


@group.command()
def remove(context: typer.Context, name: _Name) -> None:
    """Remove a channel: what it sends is refused from now on; its orders stay."""
    client_of(context).delete("channels", name)
    typer.echo(f"Channel {name} is removed.")
