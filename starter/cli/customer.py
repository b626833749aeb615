"""Customers: what they owe, and what comes next with them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from domain.errors import RefusedError
from starter.cli.client import client_of, given
from starter.cli.output import AsJson, Column, say, show_list, show_object

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
        typer.Option(min=0, max=120, help="days to pay; no option at all: the company's again"),
    ] = None,
    problematic: Annotated[
        bool | None, typer.Option("--problematic/--not-problematic", help="rules can ask for it")
    ] = None,
    preferred_contact: Annotated[str | None, typer.Option(help="phone, post, email or any")] = None,
    credit_limit: Annotated[str | None, typer.Option(help="such as 5000.00; empty: none")] = None,
    manager: Annotated[str | None, typer.Option(help="the account manager; empty: none")] = None,
    custom_field: Annotated[
        list[str] | None, typer.Option(metavar="N=TEXT", help="a field of your own, 1 to 7")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a customer: days to pay, and what dunning rules go by. What is left out stays."""
    options = {
        "terms_days": terms_days,
        "problematic": problematic,
        "preferred_contact": preferred_contact,
        "credit_limit": credit_limit,
        "manager": manager,
        "custom_fields": dict(map(_field, custom_field)) if custom_field else None,
    }
    body: dict[str, Any] = given(options)
    body |= {name: None for name in ("credit_limit", "manager") if options[name] == ""}
    changed = client_of(context).post("customers", customer, body=body or {"terms_days": None})
    show_object(changed, as_json=as_json)


@group.command()
def insolvent(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(metavar="NO", help="the customer's number")],
    since: Annotated[str, typer.Option(help="the day on which the proceedings were opened")],
    as_json: AsJson = False,
) -> None:
    """Stop dunning for good; a task says what is to be filed, and by when."""
    done = client_of(context).post("customers", customer, "insolvent", body={"since": since})
    sentence = f"Customer {customer} is insolvent since {since}; a task says what is to be filed."
    say(done, sentence, as_json=as_json)


@group.command()
def solvent(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(metavar="NO", help="the customer's number")],
    as_json: AsJson = False,
) -> None:
    """Take an insolvency back that is over or was a mistake; dunning may go on."""
    done = client_of(context).post("customers", customer, "solvent")
    say(done, f"Customer {customer} is no longer insolvent.", as_json=as_json)


def _field(text: str) -> tuple[str, str]:
    number, separator, value = text.partition("=")
    if not separator:
        raise RefusedError(f"{text!r} is no N=TEXT; such as --custom-field 1=VIP.")
    return number, value
