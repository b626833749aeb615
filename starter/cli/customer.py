"""Customers: what they owe, and what comes next with them."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, Column, show_list, show_object

group = typer.Typer(help="Customers.", no_args_is_help=True)

_COLUMNS = (
    Column("customer_no", "customer", whole=True),
    Column("name", "name"),
    Column("debts", "owes", right=True),
    Column("overdue", "overdue", right=True),
    Column("oldest_overdue_days", "days", right=True),
    Column("next_step", "next step"),
)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="customer")


@group.command("list")
def list_customers(context: typer.Context, as_json: AsJson = False) -> None:
    """List all customers."""
    rows = client_of(context).get("customers")
    show_list(rows, _COLUMNS, as_json=as_json, empty="There is no customer.")


@group.command()
def show(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(metavar="NO", help="the customer's number")],
    as_json: AsJson = False,
) -> None:
    """Show one customer."""
    show_object(client_of(context).get("customers", customer), as_json=as_json)


@group.command()
def edit(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(metavar="NO", help="the customer's number")],
    terms_days: Annotated[
        int | None,
        typer.Option(min=0, max=120, help="days to pay; left out: the company's terms again"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Agree payment terms of its own with a customer; invoices made from now on bear them."""
    changed = client_of(context).post("customers", customer, body={"terms_days": terms_days})
    show_object(changed, as_json=as_json)
