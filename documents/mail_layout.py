"""A mail from its blocks, as plain text and as HTML: both are made of the same, so they agree."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from documents.labels import labels
from documents.mail_message import MailContent
from documents.one_line import one_line
from domain.company import Company

_TEMPLATES = Path(__file__).with_name("templates") / "mail"
_WIDTH = 76
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Words; each line of the template stays one."""

    KIND: ClassVar[str] = "paragraph"
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """Label and value, one below the other."""

    KIND: ClassVar[str] = "details"
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; ``right`` are the columns of figures, ``sums`` stand below the last."""

    KIND: ClassVar[str] = "table"
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    sums: tuple[tuple[str, str], ...] = ()


Block = Paragraph | Details | Table


def lay_out(
    kind: str, language: str, subject: str, blocks: Sequence[Block], company: Company
) -> MailContent:
    """Return the mail, signed by the company; values are one line each by now."""
    signature = _signature(company, language)
    whole = [*map(_text, blocks), "-- \n" + "\n".join(signature)]
    html = (
        _environment()
        .get_template("layout.html")
        .render(language=language, subject=one_line(subject), blocks=blocks, signature=signature)
    )
    return MailContent(kind, one_line(subject), "\n\n".join(whole) + "\n", html)


def _text(block: Block) -> str:
    if isinstance(block, Table):
        return _table(block)
    return _details(block) if isinstance(block, Details) else _paragraph(block)


def _paragraph(block: Paragraph) -> str:
    return "\n".join(
        textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False)
        for line in block.lines
    )


def _details(block: Details) -> str:
    width = max((len(label) for label, _ in block.rows), default=0) + 2
    return "\n".join(f"  {label + ':':<{width}}{value}" for label, value in block.rows)


def _table(block: Table) -> str:
    """Align the columns where a line has room for them, else give each row lines of its own."""
    lines = [block.columns, *block.rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(block.columns))]
    if sum(widths) + len(_GAP) * len(widths) > _WIDTH:
        return _stacked(block)
    text = [
        _GAP
        + _GAP.join(
            cell.rjust(width) if place in block.right else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    rule = _GAP + "-" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    total = len(rule)
    sums = [
        _GAP + label + value.rjust(max(1, total - len(_GAP) - len(label)))
        for label, value in block.sums
    ]
    return "\n".join([text[0], rule, *text[1:], *([rule, *sums] if sums else [])])


def _stacked(block: Table) -> str:
    rows = [_details(Details(tuple(zip(block.columns, row, strict=True)))) for row in block.rows]
    sums = [_details(Details(block.sums))] if block.sums else []
    return "\n\n".join([*rows, *sums])


def _signature(company: Company, language: str) -> list[str]:
    """Say who writes: a business mail bears what a business letter bears (par. 35a GmbHG)."""
    words, address = labels(language), company.address
    directors = company.managing_directors
    lines = [
        company.name,
        f"{address.street}, {address.postcode} {address.city}".strip(", "),
        " · ".join(part for part in (company.phone, company.email, company.website) if part),
        company.register_entry,
        f"{words.managing_directors}: {directors}" if directors else "",
        f"{words.vat_id} {company.vat_id}" if company.vat_id else "",
    ]
    return [one_line(line) for line in lines if line]


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
