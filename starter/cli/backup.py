"""The command ``backup``: every fact into a directory, and back."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from starter.cli.output import AsJson, print_json

if TYPE_CHECKING:
    from starter.backup.manifest import Manifest
    from starter.backup.restore import Restored, Wish
    from starter.cli import Context
    from starter.stack.datadir import DataDir

backup = typer.Typer(help="Back up every fact, and bring it back.", no_args_is_help=True)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="the directory of the backup")]


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.add_typer(backup, name="backup")


@backup.command("create")
def create(
    context: typer.Context,
    directory: Directory,
    without_key: Annotated[
        bool,
        typer.Option("--without-key", help="leave out the key that opens the webhook secrets"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write every fact of this moment into a new directory; the stack goes on working."""
    os.umask(0o077)
    target = directory.expanduser().absolute()
    made = asyncio.run(_create(_data(context), target, with_key=not without_key))
    if as_json:
        from starter.backup.manifest import as_json as shown  # noqa: PLC0415 - fast start

        print_json(shown(made))
        return
    counted = _counted(made)
    typer.echo(f"{target} holds {counted}, as of {_moment(made)}.")
    typer.echo(f"The last invoice in it is {made.story.last_invoice or 'none'}.")
    if made.secret_key:
        typer.echo(
            f"{target / 'secret_key'} opens the webhook secrets in it: keep it apart where others"
            " can read the backup (--without-key leaves it out)."
        )
    elif made.key_id:
        typer.echo("Keep ZAHLTAG_SECRET_KEY (embedded: secrets/secret_key) too, apart from it.")


@backup.command("restore")
def restore(
    context: typer.Context,
    directory: Directory,
    replace: Annotated[
        bool, typer.Option("--replace", help="lose the facts that are in the database now")
    ] = False,
    last_invoice: Annotated[
        str | None,
        typer.Option(
            metavar="NO", help="the last invoice that went out (or none), if you know for certain"
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="file with the secret key, if it is not in the backup"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring a backup back, all of it or nothing. Open cases go on from its facts."""
    from starter.backup.restore import Wish  # noqa: PLC0415 - slow to import

    os.umask(0o077)
    wish = Wish(directory.expanduser().absolute(), replace, last_invoice, key)
    done = asyncio.run(_restore(_data(context), wish))
    if as_json:
        print_json(
            {
                "taken_at": done.manifest.taken_at.isoformat(),
                "rows": {table.name: table.rows for table in done.manifest.tables},
                "last_invoice": done.manifest.story.last_invoice or None,
                "new_invoice_series": done.series or None,
                "held_cases": list(done.held),
                "dropped_notices": list(done.stilled.notices),
                "paused_rules": list(done.stilled.rules),
                "locked_channels": done.locked_channels,
                "broken": list(done.broken),
            }
        )
    else:
        _tell(done)
    if done.broken:
        raise typer.Exit(1)


async def _create(data: DataDir, target: Path, *, with_key: bool) -> Manifest:
    from starter.backup.closed import closed_stack, database_only  # noqa: PLC0415 - slow
    from starter.backup.create import create as take  # noqa: PLC0415 - slow to import
    from starter.stack import control  # noqa: PLC0415 - slow to import
    from starter.stack.environment import is_external, settings_of  # noqa: PLC0415 - slow

    settings = settings_of(data)
    if is_external() or control.is_supervised(data):
        return await take(settings, target, _say, with_key=with_key)
    async with closed_stack(data, database_only) as running:
        return await take(running, target, _say, with_key=with_key)


async def _restore(data: DataDir, wish: Wish) -> Restored:
    from starter.backup.restore import restore as bring_back  # noqa: PLC0415 - slow to import

    return await bring_back(data, wish, _say)


def _tell(done: Restored) -> None:
    found = done.manifest
    typer.echo(f"Restored {_counted(found)}, as of {_moment(found)}.")
    typer.echo(
        "What happened after that is not known here: let the shops send their orders of that time"
        " again, and record its payments."
    )
    last = found.story.last_invoice or "none"
    if done.series:
        typer.echo(
            f"Invoices may have gone out after {last}, so new ones are numbered {done.series}-...:"
            f" no number is given twice. (If none went out: restore with --last-invoice {last}.)"
        )
    if done.held:
        typer.echo(
            f"{len(done.held)} case(s) were on their way to an invoice and wait for your look"
            f" (zahltag exception list): {', '.join(done.held[:5])}"
            + (" ..." if len(done.held) > 5 else "")
        )
    if done.stilled.notices:
        typer.echo(
            f"{len(done.stilled.notices)} notice(s) were under way and are dropped, for they may"
            " have gone out: zahltag task list."
        )
    if done.stilled.rules:
        typer.echo(
            f"{len(done.stilled.rules)} dunning rule(s) are paused: check who got notices since,"
            " then `zahltag rule resume NAME`."
        )
    if done.locked_channels:
        typer.echo(
            f"The secrets of {done.locked_channels} channel(s) cannot be opened with this"
            " installation's key: restore with --key FILE, or set them with `zahltag channel set`."
        )
    for name in done.broken:
        typer.echo(f"BAD  {name}: see `zahltag audit verify`.", err=True)


def _counted(made: Manifest) -> str:
    words = {"sales_order": "orders", "invoice": "invoices", "payment": "payments"}
    return ", ".join(f"{made.rows_of(table)} {word}" for table, word in words.items())


def _moment(made: Manifest) -> str:
    return f"{made.taken_at:%Y-%m-%d %H:%M:%S} UTC"


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _data(context: typer.Context) -> DataDir:
    return cast("Context", context.obj).data
