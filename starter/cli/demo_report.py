"""Shows how the demo's stories ended."""

from __future__ import annotations

from collections import Counter
from textwrap import fill

import typer

from starter.cli.client import Client
from starter.cli.demo_run import Case, Ending
from starter.cli.output import WIDTH, Column, print_table

_MAILS = (
    Column("kind", "kind", whole=True),
    Column("to", "to", whole=True),
    Column("subject", "subject"),
)


def show(client: Client, endings: list[Ending]) -> None:
    """Print the cases, what was refused, and the mails that went out."""
    cases = [ending.case for ending in endings if ending.case]
    problems = {p["case_id"]: p for p in client.get("exceptions")}
    _show_cases(cases, problems)
    typer.echo("\nRefused at the door, without a trace")
    for ending in endings:
        if ending.refusal:
            typer.echo(_indented(f"{ending.name}: {ending.refusal}"))
    ours = {case["id"] for case in cases}
    mails = [mail for mail in client.get("mails") if mail["case_id"] in ours]
    kinds = Counter(mail["kind"] for mail in mails)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    typer.echo(f"\n{len(mails)} mails went out ({counted})")
    print_table(mails, _MAILS)


def _show_cases(cases: list[Case], problems: dict[str, Case]) -> None:
    """Print two lines a case: where it stands, and what comes next and why in full width."""
    heads = ("case", "status", "invoice", "total", "open")
    rows = [
        (
            case["id"],
            case["status"].replace("_", " "),
            case["invoice_no"] or "-",
            case["total"],
            f"{case['amount_due']} {case['currency']}",
        )
        for case in cases
    ]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    typer.echo(f"\n{len(cases)} cases: next step, and why")
    typer.echo(_line(heads, widths))
    for case, row in zip(cases, rows, strict=True):
        typer.echo(_line(row, widths))
        typer.echo(_indented(_words(case)))
        if problem := problems.get(case["id"]):
            found = problem["found"] or "nothing"
            said = f"{problem['field']}: expected {problem['expected']}, found {found}"
            typer.echo(_indented(said))


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    """Put cells under each other: texts to the left, the two sums to the right."""
    shown = [
        f"{cell:>{width}}" if index > 2 else f"{cell:<{width}}"
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(shown)


def _words(case: Case) -> str:
    if case["next_step"] == "nothing":
        return str(case["why"])
    return f"{case['next_step']}: {case['why']}"


def _indented(text: str) -> str:
    return fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ")
