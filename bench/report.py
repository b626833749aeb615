"""What was measured: one line of JSON each, and a table for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

FILE = Path(__file__).with_name("results.jsonl")


@dataclass(frozen=True, slots=True)
class Result:
    """One figure. ``ratio`` is value to baseline; ``ok`` says whether it reaches its target."""

    bench: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    target: float | None = None
    ok: bool | None = None


def figure(
    bench: str,
    value: float,
    unit: str,
    *,
    baseline: float | None = None,
    target: float | None = None,
) -> Result:
    """Return a result; with a baseline its ratio, with a target too whether that is reached."""
    ratio = round(value / baseline, 3) if baseline else None
    reached = ratio >= target if ratio is not None and target is not None else None
    rounded = round(baseline, 3) if baseline is not None else None
    return Result(bench, round(value, 3), unit, rounded, ratio, target, reached)


def write(results: list[Result]) -> None:
    """Rewrite the file of results."""
    lines = [json.dumps(asdict(result)) for result in results]
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def show(results: list[Result]) -> None:
    """Print a table."""
    table = Table(title="What an order costs")
    for name in ("bench", "value", "unit", "baseline", "ratio", "target", "ok"):
        table.add_column(name, justify="left" if name in {"bench", "unit"} else "right")
    for result in results:
        cells = asdict(result).values()
        table.add_row(*("" if cell is None else _plain(cell) for cell in cells))
    Console(width=110).print(table)


def _plain(cell: object) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "NO"
    return f"{cell:,.2f}" if isinstance(cell, float) else str(cell)
