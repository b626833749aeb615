"""Notices (Mahnschreiben): what was proposed, sent or dropped, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from starter.cli.client import client_of
from starter.cli.files import save_document
from starter.cli.output import (
    AsJson,
    Column,
    moment,
    print_fields,
    print_json,
    print_table,
    show_list,
)

group = typer.Typer(help="Notices (Mahnschreiben).", no_args_is_help=True)

_COLUMNS = (
    Column("id", "id", right=True),
    Column("customer_no", "customer", whole=True),
    Column("status", "status"),
    Column("level", "level", right=True),
    Column("channel", "by"),
    Column("amount", "amount", right=True),
    Column("currency", ""),
    Column("sent_at", "sent", whole=True),
    Column("rule", "rule"),
)
_ITEMS = (
    Column("invoice_no", "invoice", whole=True),
    Column("due_date", "due", whole=True),
    Column("proposed_amount", "proposed", right=True),
    Column("amount", "sent", right=True),
    Column("currency", ""),
    Column("notices_before", "notices before", right=True),
)
_NoticeId = Annotated[str, typer.Argument(metavar="ID", help="the notice's id")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="notice")


@group.command("list")
def list_notices(
    context: typer.Context,
    customer: Annotated[str | None, typer.Option(metavar="NO", help="of one customer")] = None,
    as_json: AsJson = False,
) -> None:
    """List notices, oldest first."""
    rows = client_of(context).get("notices", customer=customer)
    if not as_json:
        rows = [{**row, "sent_at": moment(row["sent_at"])} for row in rows]
    show_list(rows, _COLUMNS, as_json=as_json, empty="There is no notice.")


@group.command()
def show(context: typer.Context, notice: _NoticeId, as_json: AsJson = False) -> None:
    """Show one notice with its invoices."""
    found = client_of(context).get("notices", notice)
    if as_json:
        print_json(found)
        return
    said = {name: moment(found[name]) for name in ("proposed_at", "sent_at")}
    print_fields({**found, **said}, leave_out=("items",))
    if found["items"]:
        typer.echo("\nInvoices")
        print_table(found["items"], _ITEMS)


@group.command()
def send(
    context: typer.Context,
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="the customer's number")],
    raise_level: Annotated[
        bool, typer.Option("--raise-level", help="it counts and raises the level")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Propose a notice of your own; another person approves it."""
    body = {"customer_no": customer, "raise_level": raise_level}
    done = client_of(context).post("notices", body=body)
    if as_json:
        print_json(done)
    elif done["known"]:
        typer.echo("This was known; nothing was changed.")
    else:
        typer.echo(
            f"Notice {done['id']} over {done['amount']} {done['currency']} is proposed; it goes out"
            f" when somebody else has approved it: zahltag approval approve {done['approval_id']}"
        )


@group.command()
def export(
    context: typer.Context,
    notice: _NoticeId,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="folder for the document")],
) -> None:
    """Write the document of a notice, byte for byte as it went out."""
    answer = client_of(context).send("GET", ("notices", notice, "document"))
    typer.echo(str(save_document(answer, to, f"notice-{notice}")))
