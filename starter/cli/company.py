"""The company's profile, as a YAML file like ``samples/company.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import RefusedError
from starter.cli.client import client_of
from starter.cli.output import AsJson, print_json

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
    import yaml  # noqa: PLC0415 - slow to import

    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        where = f" (line {place.line + 1})" if place else ""
        raise RefusedError(f"{file} is not YAML in UTF-8{where}; nothing was changed.") from error
    if not isinstance(document, dict):
        raise RefusedError(f"{file} holds no fields (name: value); nothing was changed.")
    done = client_of(context).put("company", body=document)
    typer.echo(
        f"{done['name']} was set like this before; nothing was changed."
        if done["known"]
        else f"{done['name']} is set."
    )
