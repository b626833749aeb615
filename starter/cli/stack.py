"""The commands of the embedded stack: up, down, status, doctor, migrate."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, cast

import typer

from domain.errors import RefusedError

if TYPE_CHECKING:
    from starter.cli import Context
    from starter.stack.control import StackStatus
    from starter.stack.datadir import DataDir

Json = Annotated[bool, typer.Option("--json", help="print JSON")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in (up, down, status, doctor, migrate):
        app.command()(command)


def up(
    context: typer.Context,
    detach: Annotated[
        bool, typer.Option("--detach", help="return when all is healthy and leave it running")
    ] = False,
) -> None:
    """Start everything that is missing; without --detach, stay until Ctrl-C and stop it then."""
    from starter.stack import control  # noqa: PLC0415 - fast start of other commands

    data = _data(context)
    if detach:
        asyncio.run(_start(data))
        return
    was_running = control.is_supervised(data)
    try:
        asked = asyncio.run(_attended(data))
    except RefusedError:
        # What ran before this command is not stopped because the rest could not be started.
        if not was_running:
            control.down(data)
        raise
    if asked:  # else somebody else has stopped it, and may be at work: a restore, say
        control.down(data)
    typer.echo("Stopped.")


def down(context: typer.Context) -> None:
    """Stop every process of this data directory; the data stays."""
    from starter.stack import control  # noqa: PLC0415 - fast start of other commands

    control.down(_data(context))
    typer.echo("Stopped.")


def status(context: typer.Context, as_json: Json = False) -> None:
    """Show each process, whether it is healthy, and the addresses."""
    from starter.stack import control  # noqa: PLC0415 - fast start of other commands

    found = asyncio.run(control.status(_data(context)))
    if as_json:
        typer.echo(json.dumps({**asdict(found), "healthy": found.healthy}, indent=2))
        return
    for process in (found.supervisor, *found.processes):
        state = "healthy" if process.healthy else "no answer" if process.pid else "not running"
        typer.echo(f"{process.name:<12} {process.pid or '-':>8}  {state:<12} {process.address}")
    _addresses(found)


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Find what is wrong, and say what to do; exit 1 if anything is."""
    from starter.stack.doctor import examine  # noqa: PLC0415 - fast start of other commands

    checks = asyncio.run(examine(_data(context)))
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            typer.echo(f"{'ok  ' if check.ok else 'BAD '} {check.name}: {check.finding}")
            if not check.ok:
                typer.echo(f"     -> {check.remedy}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def migrate(context: typer.Context) -> None:
    """Bring the database's schema to the newest version."""
    from asyncpg import PostgresError  # noqa: PLC0415 - slow to import
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - slow to import

    from starter.stack import migrate as migrations  # noqa: PLC0415 - brings SQLAlchemy along
    from starter.stack.environment import settings_of  # noqa: PLC0415 - reads every setting

    settings = settings_of(_data(context))
    try:
        asyncio.run(migrations.upgrade(settings))
        current, _ = asyncio.run(migrations.versions(settings))
    except (OSError, TimeoutError, SQLAlchemyError, PostgresError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RefusedError(
            f"The database cannot be migrated ({reason}): start it (`zahltag up`), or correct "
            "ZAHLTAG_DATABASE_URL."
        ) from error
    typer.echo(f"The schema is at version {current}.")


async def _start(data: DataDir) -> None:
    from starter.stack import control  # noqa: PLC0415 - fast start of other commands

    began = time.monotonic()
    found = await control.up(
        data, lambda line: typer.echo(f"{time.monotonic() - began:6.1f} s  {line}", err=True)
    )
    _addresses(found)


async def _attended(data: DataDir) -> bool:
    """Start and stay; True if a signal ends either, and the caller then stops everything."""
    from starter.stack import control  # noqa: PLC0415 - fast start of other commands

    leave = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, leave.set)
    starting = asyncio.create_task(_start(data))
    leaving = asyncio.create_task(leave.wait())
    await asyncio.wait({starting, leaving}, return_when=asyncio.FIRST_COMPLETED)
    leaving.cancel()
    if not starting.done():
        starting.cancel()
        return True
    await starting
    typer.echo("Ctrl-C stops everything.", err=True)
    await control.attend(data, leave)
    return leave.is_set()


def _addresses(found: StackStatus) -> None:
    if found.api:
        typer.echo(f"Web UI of Temporal: {found.web_ui}")
        typer.echo(f"API:                {found.api}")


def _data(context: typer.Context) -> DataDir:
    return cast("Context", context.obj).data
