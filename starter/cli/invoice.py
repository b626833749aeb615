"""Invoices: their figures, and their documents as they were stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.files import save_document
from starter.cli.output import AsJson, Column, print_fields, print_json, print_table, show_list

group = typer.Typer(help="Invoices and their documents.", no_args_is_help=True)

_COLUMNS = (
    Column("invoice_no", "invoice", whole=True),
    Column("customer_no", "customer", whole=True),
    Column("issue_date", "of", whole=True),
    Column("due_date", "due", whole=True),
    Column("total", "total", right=True),
    Column("open", "open", right=True),
    Column("currency", ""),
    Column("status", "status"),
)
_LINES = (
    Column("position", "no", right=True),
    Column("name", "what"),
    Column("quantity", "quantity", right=True),
    Column("net_amount", "net", right=True),
    Column("tax_rate", "tax %", right=True),
)
_PARTS = ("buyer", "lines", "allowances", "taxes", "totals", "document")
_Number = Annotated[str, typer.Argument(metavar="NO", help="the invoice's number")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="invoice")


@group.command("list")
def list_invoices(context: typer.Context, as_json: AsJson = False) -> None:
    """List all invoices."""
    rows = client_of(context).get("invoices")
    show_list(rows, _COLUMNS, as_json=as_json, empty="There is no invoice.")


@group.command()
def show(context: typer.Context, number: _Number, as_json: AsJson = False) -> None:
    """Show one invoice with its lines and the hash of its document."""
    found = client_of(context).get("invoices", number)
    if as_json:
        print_json(found)
        return
    print_fields(found, leave_out=_PARTS)
    print_fields(found["document"])
    typer.echo("")
    print_table(found["lines"], _LINES)


@group.command()
def export(
    context: typer.Context,
    number: _Number,
    to: Annotated[Path, typer.Option(help="the folder to write the document into")],
) -> None:
    """Write the invoice's document as it was stored and print its path."""
    answer = client_of(context).send("GET", ("invoices", number, "document"))
    typer.echo(str(save_document(answer, to, number)))
