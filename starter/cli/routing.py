"""The routing rules, as a YAML file like ``samples/routing.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, print_json
from starter.cli.yaml_files import read_yaml

group = typer.Typer(
    help="Rules that route orders by product type and region.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="routing")


@group.command()
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the rules that hold, in the form that `routing set` takes."""
    import yaml  # noqa: PLC0415 - slow to import

    found = client_of(context).get("routing")
    if as_json:
        print_json(found)
        return
    if found["version"]:
        typer.echo(f"# version {found['version']}, set by {found['set_by']} at {found['set_at']}")
    typer.echo(
        yaml.safe_dump({"rules": found["rules"]}, allow_unicode=True, sort_keys=False), nl=False
    )


@group.command("set")
def set_routing(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML; samples/routing.yaml shows the form")],
) -> None:
    """Set the rules; wrong fields are all named at once, and nothing is changed then."""
    done = client_of(context).put("routing", body=read_yaml(file))
    typer.echo(
        f"These {done['rules']} rules were set before; nothing was changed."
        if done["known"]
        else f"{done['rules']} rules are set (version {done['version']}). They hold for orders that"
        " are checked from now on."
    )
