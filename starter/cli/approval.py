"""Approvals (Freigaben): what waits for a yes or no."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, Column, print_json, show_list

group = typer.Typer(help="What waits for a yes or no.", no_args_is_help=True)

_COLUMNS = (
    Column("id", "id", right=True),
    Column("case_id", "case"),
    Column("step", "what"),
    Column("rule", "rule"),
    Column("amount", "amount", right=True),
    Column("currency", ""),
    Column("why", "why"),
)
_ApprovalId = Annotated[str, typer.Argument(metavar="ID", help="the approval's id")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="approval")


@group.command("list")
def list_approvals(context: typer.Context, as_json: AsJson = False) -> None:
    """List what waits for a decision, oldest first."""
    rows = client_of(context).get("approvals")
    show_list(rows, _COLUMNS, as_json=as_json, empty="Nothing waits for an approval.")


@group.command()
def approve(
    context: typer.Context,
    approval: Annotated[str | None, typer.Argument(metavar="ID", help="the approval's id")] = None,
    rule: Annotated[str | None, typer.Option(help="all notices that this rule proposed")] = None,
    as_json: AsJson = False,
) -> None:
    """Approve; the case goes on."""
    if (approval is None) == (rule is None):
        raise typer.BadParameter("give either an approval's ID or --rule NAME")
    client = client_of(context)
    if approval is None:
        done = client.post("approvals", "approve", body={"rule": rule})
    else:
        done = client.post("approvals", approval, "approve")
    _report(done, as_json=as_json)


@group.command()
def reject(
    context: typer.Context,
    approval: _ApprovalId,
    reason: Annotated[str, typer.Option(help="why; the history keeps it")],
    not_before: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="a rule proposes it again then; else in 14 days"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Reject; an order is closed without an invoice, a notice is dropped."""
    body = {"reason": reason, "not_before": not_before}
    done = client_of(context).post("approvals", approval, "reject", body=body)
    _report(done, as_json=as_json)


def _report(done: dict[str, object], *, as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        typer.echo(done["message"])
