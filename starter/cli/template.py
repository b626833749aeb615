"""The texts of notices: list them, write ours out, check your own. Works without a stack."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import RefusedError
from models.settings import Settings
from starter.cli.output import AsJson, Column, show_list

group = typer.Typer(help="The texts of notices, yours and ours.", no_args_is_help=True)

_COLUMNS = (
    Column("id", "text", whole=True),
    Column("whose", "whose"),
    Column("file", "file", whole=True),
)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="template")


@group.command("list")
def list_templates(as_json: AsJson = False) -> None:
    """List every text, whether it is yours or ours, and where yours is looked for."""
    from documents.notice_check import own_templates  # noqa: PLC0415 - slow to import

    rows = [
        {
            "id": f"{language}/{name}",
            "language": language,
            "template": name,
            "whose": "yours" if own else "ours",
            "file": str(path),
        }
        for language, name, path, own in own_templates(Settings().templates_dir)
    ]
    show_list(rows, _COLUMNS, as_json=as_json, empty="")


@group.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="where to write them")],
) -> None:
    """Write our texts into a folder, to edit them there; a file that exists is left alone."""
    from documents.notice_check import export_templates  # noqa: PLC0415 - slow to import

    written, kept = export_templates(folder)
    for path in written:
        typer.echo(f"{path}")
    if kept:
        typer.echo(f"{len(kept)} files were there already and are left as they are.", err=True)
    typer.echo(
        "Keep only those that you change; set ZAHLTAG_TEMPLATES_DIR to"
        f" {folder.resolve()}, restart, and run `zahltag template check`.",
        err=True,
    )


@group.command()
def check(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="else ZAHLTAG_TEMPLATES_DIR")
    ] = None,
) -> None:
    """Fill every text of yours in every way; name file and line of what is wrong."""
    from documents.notice_check import check_templates, own_templates  # noqa: PLC0415 - slow

    chosen = folder or Settings().templates_dir
    if chosen is None:
        typer.echo("No folder is set (ZAHLTAG_TEMPLATES_DIR): our texts are used.")
        return
    problems = check_templates(chosen)
    if problems:
        found = "\n  ".join(map(str, problems))
        raise RefusedError(f"Notices of these texts would wait for them to be mended.\n  {found}")
    count = sum(own for *_, own in own_templates(chosen))
    typer.echo(f"{count} texts of yours are in order.")
