"""What customers agree to pay, and when: promises and instalments."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from starter.cli.client import client_of, given
from starter.cli.output import (
    AsJson,
    Column,
    print_fields,
    print_json,
    print_table,
    say,
    show_list,
)

promise = typer.Typer(help="Promises to pay.", no_args_is_help=True)
instalments = typer.Typer(help="Plans of instalments.", no_args_is_help=True)

_PROMISES = (
    Column("id", "id", right=True),
    Column("customer_no", "customer", whole=True),
    Column("kind", "kind", whole=True),
    Column("date", "date", whole=True),
    Column("amount", "amount", right=True),
    Column("currency", ""),
    Column("status", "status", whole=True),
    Column("overdue_days", "days late", right=True),
    Column("agreed_by", "agreed by"),
)
_INSTALMENTS = (
    Column("number", "no", right=True),
    Column("date", "date", whole=True),
    Column("amount", "amount", right=True),
    Column("status", "status"),
)
_Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="the customer's number")]
_Currency = Annotated[str | None, typer.Option(help="such as EUR (else what the customer owes in)")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(promise, name="promise")
    app.add_typer(instalments, name="instalments")


@promise.command()
def add(
    context: typer.Context,
    customer: _Customer,
    date: Annotated[str, typer.Option(help="the day by which the customer will pay")],
    amount: Annotated[
        str | None, typer.Option(help="such as 119.00; without it, all that is due by then")
    ] = None,
    currency: _Currency = None,
    as_json: AsJson = False,
) -> None:
    """Record a promise; it replaces the customer's open one. Rules wait until the day is over."""
    body = {"date": date, "amount": amount, "currency": currency}
    done = client_of(context).post("customers", customer, "promises", body=given(body))
    what = f"{done['amount']} {done['currency']}" if amount else "all that is due"
    sentence = f"Customer {customer} has promised to pay {what} by {date}."
    say(done, sentence, as_json=as_json)


@promise.command()
def remove(
    context: typer.Context,
    customer: _Customer,
    promise_id: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="the promise's id (else the open one)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw the customer's open promise; rules go on."""
    body = {"id": promise_id}
    done = client_of(context).post("customers", customer, "promises", "remove", body=body)
    say(done, f"The promise of customer {customer} is withdrawn.", as_json=as_json)


@promise.command("list")
def list_promises(context: typer.Context, as_json: AsJson = False) -> None:
    """List every agreed date, instalments too: open ones first."""
    rows = client_of(context).get("promises")
    show_list(rows, _PROMISES, as_json=as_json, empty="There is no promise.")


@instalments.command()
def create(
    context: typer.Context,
    customer: _Customer,
    count: Annotated[int, typer.Option(help="how many, 2 to 60")],
    first: Annotated[str, typer.Option(help="the day of the first one")],
    every: Annotated[str, typer.Option(help="week or month")] = "month",
    total: Annotated[
        str | None, typer.Option(help="such as 1190.00 (else all that is owed)")
    ] = None,
    currency: _Currency = None,
    as_json: AsJson = False,
) -> None:
    """Agree on equal instalments; the last one takes what rounding leaves over."""
    body = {"total": total, "currency": currency, "count": count, "first": first, "every": every}
    done = client_of(context).post("customers", customer, "instalments", body=given(body))
    if not as_json and not done["known"]:
        _show(done)
    else:
        say(done, "", as_json=as_json)


@instalments.command()
def show(context: typer.Context, customer: _Customer, as_json: AsJson = False) -> None:
    """Show the customer's open plan, else the last one."""
    found = client_of(context).get("customers", customer, "instalments")
    if as_json:
        print_json(found)
    else:
        _show(found)


@instalments.command()
def cancel(
    context: typer.Context,
    customer: _Customer,
    reason: Annotated[str, typer.Option(help="why; the plan keeps it")],
    as_json: AsJson = False,
) -> None:
    """End the open plan: what is not paid is dunned as before."""
    body = {"reason": reason}
    done = client_of(context).post("customers", customer, "instalments", "cancel", body=body)
    say(done, f"The instalments of customer {customer} are cancelled.", as_json=as_json)


def _show(plan: dict[str, Any]) -> None:
    print_fields(plan, leave_out=("instalments", "id", "known"))
    print_table(plan["instalments"], _INSTALMENTS)
