"""Calls to customers that no task asked for."""

from __future__ import annotations

from typing import Annotated

import typer

from starter.cli.client import client_of, given
from starter.cli.output import AsJson, say

group = typer.Typer(help="Calls to customers.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="call")


@group.callback()
def _only_by_name() -> None:
    """Keep the name of a single command: `call note`."""


@group.command()
def note(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="the customer's number")],
    outcome: Annotated[
        str, typer.Option(help="reached, not_reached, promised, disputed or wrong_number")
    ],
    date: Annotated[str | None, typer.Option(help="promised: the day")] = None,
    amount: Annotated[str | None, typer.Option(help="promised: the sum")] = None,
    currency: Annotated[str | None, typer.Option(help="promised: of that sum")] = None,
    invoice: Annotated[str | None, typer.Option(help="disputed: the invoice")] = None,
    as_json: AsJson = False,
) -> None:
    """Note a call of today; the same outcome twice a day is one call."""
    options = {
        "outcome": outcome,
        "date": date,
        "amount": amount,
        "currency": currency,
        "invoice": invoice,
    }
    body = given(options)
    done = client_of(context).post("customers", customer, "calls", body=body)
    say(done, f"The call to customer {customer} is noted.", as_json=as_json)
