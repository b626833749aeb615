"""Payments: what came in, and recording one by hand."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.output import AsJson, Column, print_json, show_list, show_object

group = typer.Typer(help="Payments and what they settled.", no_args_is_help=True)

_COLUMNS = (
    Column("id", "id", right=True),
    Column("date", "date", whole=True),
    Column("amount", "amount", right=True),
    Column("currency", ""),
    Column("provider", "by"),
    Column("reference", "reference"),
    Column("settled", "settled"),
    Column("unallocated", "left over", right=True),
)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="payment")


@group.command()
def record(
    context: typer.Context,
    invoice: Annotated[str, typer.Option(help="number of the invoice it is for")],
    amount: Annotated[str, typer.Option(help="such as 119.00")],
    currency: Annotated[str, typer.Option(help="such as EUR")],
    reference: Annotated[str, typer.Option(help="what identifies the payment for ever")],
    date: Annotated[str | None, typer.Option(help="the value date (else today)")] = None,
    as_json: AsJson = False,
) -> None:
    """Record a payment. The same reference again changes nothing."""
    body = {
        "invoice_no": invoice,
        "amount": amount,
        "currency": currency,
        "reference": reference,
        "date": date,
    }
    done = client_of(context).post("payments", body=body)
    if as_json:
        print_json(done)
    elif done["known"]:
        typer.echo(f"This payment was known as {done['id']}; nothing was changed.")
    else:
        what = f"case {done['case_id']}" if done["case_id"] else f"the imported invoice {invoice}"
        typer.echo(f"Payment {done['id']} is recorded for {what}.")


@group.command("list")
def list_payments(context: typer.Context, as_json: AsJson = False) -> None:
    """List all payments with what they settled, oldest first."""
    rows = client_of(context).get("payments")
    if not as_json:
        rows = [{**row, "settled": [a["invoice_no"] for a in row["allocations"]]} for row in rows]
    show_list(rows, _COLUMNS, as_json=as_json, empty="There is no payment.")


@group.command()
def show(
    context: typer.Context,
    payment: Annotated[str, typer.Argument(metavar="ID", help="the payment's id")],
    as_json: AsJson = False,
) -> None:
    """Show one payment."""
    show_object(client_of(context).get("payments", payment), as_json=as_json)
