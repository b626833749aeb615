"""What keeps dunning away: disputes about invoices, blocks of customers and invoices."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of, given
from starter.cli.output import AsJson, Column, say, show_list

dispute = typer.Typer(help="Disputes about invoices.", no_args_is_help=True)
block = typer.Typer(help="Blocks of dunning.", no_args_is_help=True)

_DISPUTES = (
    Column("invoice_no", "invoice", whole=True),
    Column("customer_no", "customer", whole=True),
    Column("open", "open", right=True),
    Column("currency", ""),
    Column("since", "since", whole=True),
    Column("reason", "reason"),
)
_BLOCKS = (
    Column("customer_no", "customer", whole=True),
    Column("invoice_no", "invoice", whole=True),
    Column("kind", "kind", whole=True),
    Column("since", "since", whole=True),
    Column("until", "until", whole=True),
    Column("reason", "reason"),
    Column("set_by", "set by"),
)
_Invoice = Annotated[str, typer.Argument(metavar="INVOICE", help="the invoice's number")]
_Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="the customer's number")]
_Only = Annotated[str | None, typer.Option(metavar="NO", help="only this invoice")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(dispute, name="dispute")
    app.add_typer(block, name="block")


@dispute.command("open")
def open_dispute(
    context: typer.Context,
    invoice: _Invoice,
    reason: Annotated[str, typer.Option(help="what the customer says")],
    as_json: AsJson = False,
) -> None:
    """Note that a customer disputes an invoice: it is not dunned until the dispute is closed."""
    done = client_of(context).post("invoices", invoice, "dispute", body={"reason": reason})
    say(done, f"Invoice {invoice} is disputed and is not dunned.", as_json=as_json)


@dispute.command("close")
def close_dispute(
    context: typer.Context,
    invoice: _Invoice,
    outcome: Annotated[str, typer.Option(help="how it ended")],
    as_json: AsJson = False,
) -> None:
    """Close the dispute: what is still open is dunned again."""
    body = {"outcome": outcome}
    done = client_of(context).post("invoices", invoice, "dispute", "close", body=body)
    say(done, f"The dispute about invoice {invoice} is closed.", as_json=as_json)


@dispute.command("list")
def list_disputes(context: typer.Context, as_json: AsJson = False) -> None:
    """List the invoices that are disputed."""
    rows = client_of(context).get("disputes")
    show_list(rows, _DISPUTES, as_json=as_json, empty="No invoice is disputed.")


@block.command("set")
def set_block(
    context: typer.Context,
    customer: _Customer,
    reason: Annotated[str, typer.Option(help="why")],
    invoice: _Only = None,
    until: Annotated[str | None, typer.Option(help="the last day (else until lifted)")] = None,
    as_json: AsJson = False,
) -> None:
    """Keep dunning away from a customer, or from one of its invoices."""
    options = {"invoice": invoice, "until": until, "reason": reason}
    body = given(options)
    done = client_of(context).post("customers", customer, "block", body=body)
    what = f"invoice {invoice}" if invoice else f"customer {customer}"
    until_when = f" until {until}" if until else ""
    say(done, f"Dunning of {what} is blocked{until_when}.", as_json=as_json)


@block.command()
def lift(
    context: typer.Context, customer: _Customer, invoice: _Only = None, as_json: AsJson = False
) -> None:
    """Let dunning go on."""
    body = {"invoice": invoice} if invoice else {}
    done = client_of(context).post("customers", customer, "block", "lift", body=body)
    what = f"invoice {invoice}" if invoice else f"customer {customer}"
    say(done, f"Dunning of {what} is no longer blocked.", as_json=as_json)


@block.command("list")
def list_blocks(context: typer.Context, as_json: AsJson = False) -> None:
    """List what is blocked today, insolvent customers too."""
    rows = client_of(context).get("blocks")
    show_list(rows, _BLOCKS, as_json=as_json, empty="Nothing is blocked.")
