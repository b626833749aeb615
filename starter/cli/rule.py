"""Dunning rules: when which customers are reminded, and how. Administrators only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from domain.errors import RefusedError
from starter.cli.client import Client, client_of
from starter.cli.output import (
    AsJson,
    Column,
    moment,
    print_fields,
    print_json,
    print_table,
    show_list,
)

group = typer.Typer(help="Dunning rules; administrators only.", no_args_is_help=True)

_COLUMNS = (
    Column("priority", "place", right=True),
    Column("name", "name"),
    Column("when", "when"),
    Column("action", "action"),
    Column("status", "status"),
    Column("last_run", "last run"),
)
_TAKEN = (
    Column("customer_no", "customer", whole=True),
    Column("name", "name"),
    Column("values", "values that match"),
)
_SKIPPED = (Column("customer_no", "customer", whole=True), Column("reason", "why it was skipped"))
_LOOKS = 75  # of eight seconds each: ten minutes
_File = Annotated[Path, typer.Argument(metavar="FILE.yaml", help="the rule; samples/rules/ shows")]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="the rule's name")]


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(group, name="rule")


@group.command()
def add(context: typer.Context, file: _File, as_json: AsJson = False) -> None:
    """Add a rule; it is active at once."""
    done = client_of(context).post("rules", body=_read(file))
    _say(done, f"The rule {done['name']} is added and active.", as_json=as_json)


@group.command()
def edit(context: typer.Context, file: _File, as_json: AsJson = False) -> None:
    """Change the rule that has the name in the file; proposals made before keep their version."""
    done = client_of(context).put("rules", body=_read(file))
    _say(done, f"The rule {done['name']} is changed.", as_json=as_json)


@group.command("list")
def list_rules(context: typer.Context, as_json: AsJson = False) -> None:
    """List all rules in the order in which they run."""
    rows = client_of(context).get("rules")
    if not as_json:
        rows = [{**row, "when": _when(row), "last_run": moment(row["last_run"])} for row in rows]
    show_list(rows, _COLUMNS, as_json=as_json, empty="There is no rule.")


@group.command()
def show(context: typer.Context, name: _Name, as_json: AsJson = False) -> None:
    """Show one rule, its next runs, and who did what to it."""
    found = client_of(context).get("rules", name)
    if as_json:
        print_json(found)
        return
    print_fields(found, leave_out=("filters", "next_runs", "history", "paused"))
    typer.echo("filters, all of which must hold:")
    for one in found["filters"]:
        value = str(one["value"]).lower() if isinstance(one["value"], bool) else one["value"]
        typer.echo(f"  {one['field']} {one['operator']} {value}")
    typer.echo("next runs:" if found["next_runs"] else "next runs: none while it is paused")
    for run in found["next_runs"]:
        typer.echo(f"  {run}")
    typer.echo("history:")
    for line in found["history"]:
        typer.echo(f"  {moment(line['at'])}  {line['actor']}: {line['text']}")


@group.command()
def remove(context: typer.Context, name: _Name, as_json: AsJson = False) -> None:
    """Remove a rule; what it has done stays in the history."""
    done = client_of(context).delete("rules", name)
    _say(done, f"The rule {name} is removed.", as_json=as_json)


@group.command()
def pause(context: typer.Context, name: _Name, as_json: AsJson = False) -> None:
    """Pause a rule until it is resumed."""
    done = client_of(context).post("rules", name, "pause")
    _say(done, f"The rule {name} is paused.", as_json=as_json)


@group.command()
def resume(context: typer.Context, name: _Name, as_json: AsJson = False) -> None:
    """Let a paused rule run again."""
    done = client_of(context).post("rules", name, "resume")
    _say(done, f"The rule {name} is active.", as_json=as_json)


@group.command()
def run(context: typer.Context, name: _Name, as_json: AsJson = False) -> None:
    """Run a rule now, whatever its timetable says, and print whom it took; paused rules too."""
    client = client_of(context)
    done = client.post("rules", name, "run")
    for _ in range(_LOOKS):
        if done["status"] != "running":
            break
        done = client.get("rules", name, "runs", done["run"])
    if done["status"] == "waiting":
        raise RefusedError(
            f"No worker took the run within ten seconds. It is queued as {done['run']} and runs by"
            " itself as soon as a worker does; nothing has happened yet."
        )
    if done["status"] == "running":
        raise RefusedError(
            f"The run {done['run']} is still under way after ten minutes: {done['handed_over']}"
            f" are handed over. It goes on by itself; `zahltag rule show {name!r}` says when it"
            " is done."
        )
    if as_json:
        print_json({key: value for key, value in done.items() if key != "status"})
        return
    counts = f"{done['matched']} matched, {done['handed_over']} handed over"
    typer.echo(f"{name}: {counts}, {len(done['skipped'])} skipped.")
    if done["skipped"]:
        print_table(done["skipped"], _SKIPPED)


@group.command()
def order(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="A B C", help="names, first to last")],
    as_json: AsJson = False,
) -> None:
    """Let the named rules run first, in this order; the others follow as they are."""
    done = client_of(context).post("rules", "order", body={"names": names})
    _say(done, f"The rules run in this order: {', '.join(done['names'])}.", as_json=as_json)


@group.command()
def preview(
    context: typer.Context,
    rule: Annotated[str, typer.Argument(metavar="NAME or FILE", help="a rule or a rule file")],
    as_json: AsJson = False,
) -> None:
    """List whom a rule would take now, with the values that match; nothing is changed."""
    found = _preview(client_of(context), rule)
    show_list(found["customers"], _TAKEN, as_json=as_json, empty="This rule would take nobody now.")
    if not as_json:
        for one in found["skipped"]:
            typer.echo(f"not {one['customer_no']}: {one['reason']}")


def _preview(client: Client, rule: str) -> Any:  # noqa: ANN401 - any JSON value
    if rule.endswith((".yaml", ".yml")) or Path(rule).is_file():
        return client.post("rules", "preview", body=_read(Path(rule)))
    return client.get("rules", rule, "preview")


def _read(file: Path) -> dict[str, Any]:
    from starter.rule_files import read_rule_file  # noqa: PLC0415 - slow to import

    return read_rule_file(file)


def _when(row: dict[str, Any]) -> str:
    return " ".join(filter(None, (row["interval"], row["weekday"], f"{row['hour']:02}:00")))


def _say(done: dict[str, Any], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(done)
    else:
        known = "This was known; nothing was changed."
        typer.echo(known if done["known"] else sentence)
