"""Imports of files: open items from the system used before, account managers, returned mails."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from domain.errors import RefusedError
from starter.cli.client import client_of
from starter.cli.output import AsJson, print_json

# What is looked at of a mail: the report stands at its beginning.
LONGEST_MAIL = 256 * 1024
_OUTCOMES = {
    "noted": "new: their cases look for another way",
    "known": "known before",
    "unknown": "about mails that are not ours",
    "no_report": "no reports of a mail server",
}

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


@group.command()
def bounces(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="mails (.eml), or folders of them")
    ],
    as_json: AsJson = False,
) -> None:
    """Take in mails that mail servers sent back; other mails in a folder are left alone."""
    client, counts = client_of(context), dict.fromkeys(_OUTCOMES, 0)
    for path in [file for given in paths for file in _mails(given)]:
        with path.open("rb") as file:
            mail = file.read(LONGEST_MAIL)
        answer = client.send(
            "POST", ("imports", "bounces"), mail, media_type="message/rfc822"
        ).json()
        counts[answer["outcome"]] += 1
    if as_json:
        print_json(counts)
        return
    said = [f"{count} {_OUTCOMES[name]}" for name, count in counts.items() if count]
    typer.echo(f"{'; '.join(said)}." if said else "There is no mail in it.")


def _mails(path: Path) -> list[Path]:
    """Return the mails of a folder (a maildir's too) in the order of their names, or the file."""
    if not path.is_dir():
        if not path.exists():
            raise RefusedError(f"There is no file {path}.")
        return [path]
    folders = [path, path / "cur", path / "new"]
    return [
        file
        for folder in folders
        if folder.is_dir()
        for file in sorted(folder.iterdir())
        if file.is_file() and not file.name.startswith(".")
    ]
