"""Tasks: what people have to do."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of, given
from starter.cli.output import AsJson, Column, print_json, show_list, show_object

group = typer.Typer(help="Tasks of people.", no_args_is_help=True)

_COLUMNS = (
    Column("id", "id", right=True),
    Column("status", "status"),
    Column("due", "due", whole=True),
    Column("assignee", "who"),
    Column("title", "what"),
    Column("case_id", "case"),
)
_TaskId = Annotated[str, typer.Argument(metavar="ID", help="the task's id")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="task")


@group.command("list")
def list_tasks(context: typer.Context, as_json: AsJson = False) -> None:
    """List all tasks, open ones first."""
    rows = client_of(context).get("tasks")
    show_list(rows, _COLUMNS, as_json=as_json, empty="There is no task.")


@group.command()
def show(context: typer.Context, task: _TaskId, as_json: AsJson = False) -> None:
    """Show one task."""
    show_object(client_of(context).get("tasks", task), as_json=as_json)


@group.command()
def done(
    context: typer.Context,
    task: _TaskId,
    outcome: Annotated[
        str,
        typer.Option(
            help="what came of it; a call: reached, not_reached, promised, disputed, wrong_number;"
            " did a notice go out: sent, not_sent; whose money: not_theirs"
        ),
    ],
    date: Annotated[str | None, typer.Option(help="of a call: the day that was promised")] = None,
    amount: Annotated[
        str | None, typer.Option(help="of a call: the sum that was promised (else all that is due)")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="of that sum")] = None,
    invoice: Annotated[
        str | None, typer.Option(help="of a call: the invoice that is disputed")
    ] = None,
    note: Annotated[
        str | None, typer.Option(help="of a call: what else was said; the task keeps it")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Mark a task as done; what came of a call is recorded with it."""
    options = {
        "outcome": outcome,
        "date": date,
        "amount": amount,
        "currency": currency,
        "invoice": invoice,
        "note": note,
    }
    body = given(options)
    finished = client_of(context).post("tasks", task, "done", body=body)
    if as_json:
        print_json(finished)
    elif finished["known"]:
        typer.echo(f"Task {task} was done before; nothing was changed.")
    else:
        typer.echo(f"Task {task} is done.")
