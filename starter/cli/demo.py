"""``zahltag demo``: the sample orders, from intake to the money, on the real embedded stack."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

if TYPE_CHECKING:
    from types import FrameType

    from starter.cli import Context
    from starter.stack.control import StackStatus
    from starter.stack.datadir import DataDir


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(demo)


def demo(
    context: typer.Context,
    exit_: Annotated[
        bool, typer.Option("--exit", help="stop at the end; exit 1 if something ended wrong")
    ] = False,
) -> None:
    """Start everything, run the sample orders, show what became of each; stay up until Ctrl-C."""
    from starter.stack import control  # noqa: PLC0415 - slow to import

    data = cast("Context", context.obj).data
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    was_running = control.is_supervised(data)
    right = False
    try:
        right = _tell(data)
        if not exit_:
            typer.echo("\nCtrl-C stops everything.")
            asyncio.run(control.attend(data, asyncio.Event()))
    except KeyboardInterrupt:
        typer.echo("", err=True)
    finally:
        # What ran before the demo is somebody else's, and goes on running.
        if not was_running:
            control.down(data)
    if not right:
        raise typer.Exit(1)


def _tell(data: DataDir) -> bool:
    """Run the stories and show how they ended; return whether all ended as they should."""
    from starter.cli import demo_dunning, demo_report, demo_run  # noqa: PLC0415 - slow to import
    from starter.cli.client import make_client  # noqa: PLC0415 - this command alone needs it

    status = asyncio.run(_up(data))
    client = make_client(data)
    endings = demo_run.run(client, _say)
    demo_report.show(client, endings)
    not_dunned = demo_dunning.run(client, _say)
    typer.echo(f"\nWeb UI of Temporal: {status.web_ui}")
    typer.echo(f"API:                {status.api}")
    wrong = [ending for ending in endings if ending.wrong]
    for ending in wrong:
        typer.echo(f"{ending.name} did not end as it should: {ending.wrong}.", err=True)
    for said in not_dunned:
        typer.echo(f"Dunning did not end as it should: {said}.", err=True)
    if not wrong and not not_dunned:
        typer.echo("Everything ended as it should.")
    return not wrong and not not_dunned


async def _up(data: DataDir) -> StackStatus:
    from starter.stack import control  # noqa: PLC0415 - slow to import

    return await control.up(data, _say)


_BEGAN = time.monotonic()


def _say(line: str) -> None:
    typer.echo(f"{time.monotonic() - _BEGAN:6.1f} s  {line}", err=True)
    sys.stderr.flush()


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
