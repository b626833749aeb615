"""The company's profile, as a YAML file like ``samples/company.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, print_json
from starter.cli.yaml_files import read_yaml

group = typer.Typer(help="The company that invoices.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="company")


@group.command()
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the profile in the form that `company set` takes."""
    import yaml  # noqa: PLC0415 - slow to import

    found = client_of(context).get("company")
    if as_json:
        print_json(found)
    else:
        typer.echo(yaml.safe_dump(found, allow_unicode=True, sort_keys=False), nl=False)


@group.command("set")
def set_company(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="YAML; samples/company.yaml shows the form")],
) -> None:
    """Set the profile; wrong fields are all named at once, and nothing is changed then."""
    done = client_of(context).put("company", body=read_yaml(file))
    typer.echo(
        f"{done['name']} was set like this before; nothing was changed."
        if done["known"]
        else f"{done['name']} is set."
    )
