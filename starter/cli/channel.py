"""Channels: configured connections to shops and payment providers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, Column, print_json, show_list
from starter.cli.yaml_files import read_yaml

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
        str,
        typer.Option(help="a shop, crm, zahltag, payments, mail, mailgun or postmark"),
    ],
    secret_file: Annotated[
        Path | None, typer.Option(help="file with the webhook secret; - reads it from stdin")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="crm: YAML with vendor, tax keys, fields and defaults")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="crm: file with the API token; - reads it from stdin")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a channel or change it; what is not given stays. A new one gets a secret of its own."""
    body: dict[str, Any] = {"source": source}
    if secret_file:
        body["secret"] = _content(secret_file).strip()
    if token_file:
        body["api_token"] = _content(token_file).strip()
    if settings:
        body["settings"] = read_yaml(settings)
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
def fetch(
    context: typer.Context,
    name: _Name,
    deal: Annotated[str, typer.Argument(metavar="DEAL", help="the deal's number in the CRM")],
) -> None:
    """Fetch a deal from the channel's CRM now, as if its webhook had come."""
    done = client_of(context).post("channels", name, "fetch", body={"id": deal})
    typer.echo(
        f"The deal {deal} waits to be fetched already."
        if done["known"]
        else f"The deal {deal} is being fetched; if it is won, `zahltag case list` shows its case."
    )


def _content(file: Path) -> str:
    return sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")


@group.command()
def secret(context: typer.Context, name: _Name) -> None:
    """Print a channel's secret, to be typed into the shop."""
    typer.echo(client_of(context).get("channels", name, "secret")["secret"])


@group.command()
def remove(context: typer.Context, name: _Name) -> None:
    """Remove a channel: what it sends is refused from now on; its orders stay."""
    client_of(context).delete("channels", name)
    typer.echo(f"Channel {name} is removed.")
