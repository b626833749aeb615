"""The journal, and the proof that the books are whole."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, Column, print_json, print_table

ledger = typer.Typer(help="The receivables journal.", no_args_is_help=True)
audit = typer.Typer(help="The proof that the books are whole.", no_args_is_help=True)

_POSTINGS = (
    Column("valid_on", "valid on", whole=True),
    Column("description", "what"),
    Column("account", "account"),
    Column("amount", "debit +/credit -", right=True),
    Column("currency", ""),
)
_BALANCES = (
    Column("account", "account"),
    Column("balance", "balance", right=True),
    Column("currency", ""),
)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(ledger, name="ledger")
    app.add_typer(audit, name="audit")


@ledger.command()
def show(
    context: typer.Context,
    customer: Annotated[str | None, typer.Option(metavar="NO", help="of this customer")] = None,
    invoice: Annotated[str | None, typer.Option(metavar="NO", help="of this invoice")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the postings of one customer or one invoice."""
    if (customer is None) == (invoice is None):
        raise typer.BadParameter("Give either --customer NO or --invoice NO.")
    found = client_of(context).get("ledger", customer=customer, invoice=invoice)
    if as_json:
        print_json(found)
        return
    rows = [{**entry, **posting} for entry in found["entries"] for posting in entry["postings"]]
    print_table(rows, _POSTINGS)
    typer.echo("")
    print_table(found["balances"], _BALANCES)


@audit.command()
def verify(context: typer.Context, as_json: AsJson = False) -> None:
    """Check that the books are whole; exit 1 if anything is broken."""
    found = client_of(context).get("audit")
    if as_json:
        print_json(found)
    else:
        for check in found["checks"]:
            typer.echo(f"{'ok ' if check['ok'] else 'BAD'}  {check['name']}")
            for finding in check["findings"]:
                typer.echo(f"     {finding}")
    if not found["ok"]:
        raise typer.Exit(1)
