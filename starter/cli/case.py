"""Cases: where each one stands, and the commands that move it on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from starter.cli.client import client_of
from starter.cli.output import (
    AsJson,
    Column,
    moment,
    print_fields,
    print_json,
    print_table,
    show_list,
)

group = typer.Typer(help="Cases: from the order to the money.", no_args_is_help=True)

COLUMNS = (
    Column("id", "case"),
    Column("status", "status"),
    Column("invoice_no", "invoice", whole=True),
    Column("amount_due", "due", right=True),
    Column("currency", ""),
    Column("next_step", "next step"),
)
_PROBLEMS = (
    Column("field", "field"),
    Column("expected", "expected"),
    Column("found", "found"),
    Column("kind", "kind"),
    Column("owner", "owner"),
)
# What a dunning case does not have.
_OF_ORDERS = (
    "payment_status",
    "fulfilment_status",
    "return_status",
    "accounting_status",
    "order_no",
    "invoice_no",
)
_TIMELINE = (
    Column("at", "at", whole=True),
    Column("actor", "who"),
    Column("event", "what"),
    Column("text", ""),
)
_Reason = Annotated[str, typer.Option(help="why; the history keeps it")]
_CaseId = Annotated[str, typer.Argument(metavar="ID", help="the case's id")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="case")


@group.command("list")
def list_cases(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help="only cases with this status")] = None,
    as_json: AsJson = False,
) -> None:
    """List all cases, oldest first."""
    rows = client_of(context).get("cases", status=status)
    show_list(rows, COLUMNS, as_json=as_json, empty="There is no case.")


@group.command()
def show(context: typer.Context, case: _CaseId, as_json: AsJson = False) -> None:
    """Show one case: what comes next, when and why, its problems, and what happened so far."""
    found = client_of(context).get("cases", case)
    if as_json:
        print_json(found)
        return
    empty = () if found["order_no"] else _OF_ORDERS
    print_fields(found, leave_out=("problems", "timeline", *empty))
    if found["problems"]:
        typer.echo("\nProblems")
        print_table(found["problems"], _PROBLEMS)
    typer.echo("\nTimeline")
    print_table([{**e, "at": moment(e["at"])} for e in found["timeline"]], _TIMELINE)


@group.command()
def correct(
    context: typer.Context,
    case: _CaseId,
    fields: Annotated[
        list[str],
        typer.Argument(metavar="FIELD=VALUE...", help="such as billing.city=Bonn"),
    ],
    as_json: AsJson = False,
) -> None:
    """Correct fields of an order that waits; all of them are taken, or none."""
    wanted = dict(_pair(field) for field in fields)
    _report(client_of(context).post("cases", case, "correct", body={"fields": wanted}), as_json)


@group.command()
def retry(context: typer.Context, case: _CaseId, as_json: AsJson = False) -> None:
    """Repeat the step that failed, after its cause was mended."""
    _report(client_of(context).post("cases", case, "retry"), as_json)


@group.command()
def cancel(context: typer.Context, case: _CaseId, reason: _Reason, as_json: AsJson = False) -> None:
    """Cancel the order: what was done is undone, with documents, and the customer is told."""
    _report(client_of(context).post("cases", case, "cancel", body={"reason": reason}), as_json)


@group.command()
def extend(
    context: typer.Context,
    case: _CaseId,
    due: Annotated[str, typer.Option(metavar="DATE", help="the new due date, as 2026-12-31")],
    as_json: AsJson = False,
) -> None:
    """Move the due date of what is open; the customer is told."""
    _report(client_of(context).post("cases", case, "extend", body={"due": due}), as_json)


@group.command("write-off")
def write_off(
    context: typer.Context, case: _CaseId, reason: _Reason, as_json: AsJson = False
) -> None:
    """Propose to write off what is open; another person has to approve it."""
    _report(client_of(context).post("cases", case, "write-off", body={"reason": reason}), as_json)


def _pair(field: str) -> tuple[str, str]:
    name, equals, value = field.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{field!r} is not of the form FIELD=VALUE.")
    return name, value


def _report(done: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        typer.echo(done["message"])
