"""The keys that encrypt what Temporal keeps: make one, look at them, take an old one away."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, cast

import typer

from domain.errors import ConflictError, RefusedError
from starter.cli.output import AsJson, Column, show_list

if TYPE_CHECKING:
    from models.settings import Settings
    from starter.cli import Context
    from starter.stack.datadir import DataDir

group = typer.Typer(help="Keys that encrypt payloads in Temporal.", no_args_is_help=True)

_COLUMNS = (
    Column("id", "key"),
    Column("use", "use"),
    Column("open_cases", "open cases that need it", right=True),
)
_AGAIN = "It counts after `zahltag down` and `zahltag up --detach`."


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="payload-key")


@group.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="default: the day of today")] = "",
) -> None:
    """Make a new first key: it encrypts from then on, the older ones still decrypt."""
    from starter.stack import payload_keys  # noqa: PLC0415 - fast start of other commands
    from starter.stack.environment import is_external, settings_of  # noqa: PLC0415 - same

    name = name or datetime.now(UTC).date().isoformat()
    if is_external():
        typer.echo(
            f"ZAHLTAG_PAYLOAD_KEYS={payload_keys.with_new(settings_of(_data(context)), name)}"
        )
        typer.echo(
            "Nothing was changed here: set this for every process (docs/operations.md says in which"
            " order).",
            err=True,
        )
        return
    payload_keys.add(_data(context), name)
    typer.echo(f"The key {name} is made. {_AGAIN}")


@group.command("list")
def list_keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List the keys that are set or needed, and how many open cases need each."""
    from starter.stack.environment import settings_of  # noqa: PLC0415 - fast start
    from starter.stack.payload_keys import known  # noqa: PLC0415 - fast start

    settings = settings_of(_data(context))
    names = [key.id for key in known(settings)]
    used = asyncio.run(_used(settings))
    missing = sorted(set(used) - {*names, ""})
    rows = (
        [
            {
                "id": name,
                "use": "encrypts and decrypts"
                if name == names[0]
                else "decrypts"
                if name in names
                else "MISSING in ZAHLTAG_PAYLOAD_KEYS",
                "open_cases": used[name],
            }
            for name in (*names, *missing)
        ]
        if names or missing
        else []
    )
    show_list(rows, _COLUMNS, as_json=as_json, empty="No key is set: payloads are in clear.")


@group.command()
def remove(context: typer.Context, name: Annotated[str, typer.Argument(metavar="NAME")]) -> None:
    """Take an old key away that no open case needs; closed ones cannot be read in Temporal then."""
    from starter.stack import payload_keys  # noqa: PLC0415 - fast start of other commands
    from starter.stack.environment import is_external, settings_of  # noqa: PLC0415 - same

    data = _data(context)
    if is_external():
        raise RefusedError("Take the key out of ZAHLTAG_PAYLOAD_KEYS of every process yourself.")
    payload_keys.removable(data, name)
    if cases := asyncio.run(_used(settings_of(data)))[name]:
        raise ConflictError(
            f"{cases} open case{'s need' if cases > 1 else ' needs'} the key {name}:"
            " without it they would stand still. Remove it when they are closed."
        )
    payload_keys.remove(data, name)
    typer.echo(f"The key {name} is removed. {_AGAIN}")


async def _used(settings: Settings) -> Counter[str]:
    from temporalio.service import RPCError  # noqa: PLC0415 - slow to import

    from starter.payload_key_use import keys_of_open_cases  # noqa: PLC0415 - slow to import
    from starter.temporal import connect  # noqa: PLC0415 - slow to import

    try:
        async with asyncio.timeout(120):
            return await keys_of_open_cases(await connect(settings))
    except (RPCError, RuntimeError, OSError, TimeoutError) as error:
        raise RefusedError(
            f"Temporal cannot be asked at {settings.temporal_address}, so nobody knows which keys"
            " are needed: start it (`zahltag up --detach`)."
        ) from error


def _data(context: typer.Context) -> DataDir:
    return cast("Context", context.obj).data
