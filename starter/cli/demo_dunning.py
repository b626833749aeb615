"""The demo's story of dunning: debts from elsewhere, rules, approvals, a payment in between.

Told on the real stack, as a person would tell it; told again, it ends the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from starter.cli.client import Client
from starter.cli.output import Column, print_table

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "open-items.csv"
RULES = (
    "Standard: Zahlungserinnerung",
    "Standard: Erste Mahnung",
    "Standard: Telefonanruf vor Letzter Mahnung",
)
PATIENCE = 60.0
POLL_SECONDS = 0.3
# Who pays after the proposal and before its approval.
PAYS = ("A-1004", "AB-2026-0104", "799.00", "EUR")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fate:
    """How dunning of a sample customer ends: by which way notices went out, and the call tasks."""

    told: str
    by: tuple[str, ...] = ()
    level: int = 0
    calls: int = 0


FATES: Mapping[str, Fate] = {
    "A-1001": Fate("two invoices in one reminder by mail", ("email",), level=1),
    "A-1002": Fate("no e-mail address: the reminder is a letter", ("letter",), level=1),
    "A-1003": Fate("was reminded elsewhere: gets the first notice", ("email",), level=2),
    "A-1004": Fate("pays before the approval: hears nothing"),
    "A-1005": Fate("owes much after two notices: is called", level=2, calls=1),
}
_COLUMNS = (
    Column("customer_no", "customer", whole=True),
    Column("name", "name"),
    Column("level", "level", right=True),
    Column("sent", "sent"),
    Column("overdue", "overdue", right=True),
    Column("told", "what happened"),
)


def run(client: Client, say: Say) -> list[str]:
    """Tell the story, show how it ended, and return what is not as it should be."""
    with SAMPLE.open("rb") as file:
        done = client.upload("imports", "open-items", content=file)
    say(f"open items: {done['invoices']} imported")
    for rule in RULES:
        report = client.post("rules", rule, "run")
        say(f"{rule}: {report['matched']} matched, {report['handed_over']} handed over")
    customer, invoice, amount, currency = PAYS
    _wait(lambda: customer in _proposed(client) or customer in _settled(client))
    payment = {
        "invoice_no": invoice,
        "amount": amount,
        "currency": currency,
        "reference": f"DEMO-{customer}",
    }
    known = client.post("payments", body=payment)["known"]
    say(f"{customer} pays {amount} {currency}{' (known)' if known else ''}")
    _wait(lambda: customer not in _proposed(client))
    for approval in client.get("approvals"):
        if approval["customer_no"] in FATES:
            client.post("approvals", str(approval["id"]), "approve")
            say(f"{approval['customer_no']}: {approval['rule']} approved")
    _wait(lambda: not _wrong(client))
    _show(client)
    return _wrong(client)


def _wait(reached: Callable[[], bool]) -> None:
    """Wait until it is so; what never comes is said at the end."""
    given_up = time.monotonic() + PATIENCE
    while not reached() and time.monotonic() < given_up:
        time.sleep(POLL_SECONDS)


def _proposed(client: Client) -> set[str]:
    return {approval["customer_no"] for approval in client.get("approvals")}


def _settled(client: Client) -> set[str]:
    rows = client.get("customers")
    return {row["customer_no"] for row in rows if not row["debts"]}


def _sent(client: Client) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {number: [] for number in FATES}
    for notice in client.get("notices"):
        if notice["status"] == "sent" and notice["customer_no"] in found:
            found[notice["customer_no"]].append(notice)
    return found


def _wrong(client: Client) -> list[str]:
    """Say what is not as the story wants it; an earlier telling may have gone further."""
    sent, wrong = _sent(client), []
    customers = {row["customer_no"]: row for row in client.get("customers")}
    calls = [task["case_id"] for task in client.get("tasks") if task["kind"] == "dunning_call"]
    for number, fate in FATES.items():
        ways = {notice["channel"] for notice in sent[number]}
        if ways != {*fate.by}:
            wrong.append(f"{number} got a notice by {', '.join(ways) or 'nothing'}")
        if customers[number]["level"] < fate.level:
            wrong.append(f"{number} is at level {customers[number]['level']}, not {fate.level}")
        if calls.count(f"dunning-{number}") < fate.calls:
            wrong.append(f"nobody is asked to call {number}")
    return wrong


def _show(client: Client) -> None:
    sent = _sent(client)
    typer.echo("\nDunning: who heard from us, and how")
    rows = [
        {
            **row,
            "sent": ", ".join(notice["channel"] for notice in sent[row["customer_no"]]) or "-",
            "told": FATES[row["customer_no"]].told,
        }
        for row in client.get("customers")
        if row["customer_no"] in FATES
    ]
    print_table(rows, _COLUMNS)
