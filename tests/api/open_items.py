"""Files of open items for tests."""

from __future__ import annotations

from typing import Any

PLAIN: dict[str, Any] = {
    "customer_no": "D-1",
    "name": "Alt & Söhne GmbH",
    "kind": "b2b",
    "email": "buchhaltung@alt.example",
    "street": "Altstraße 1",
    "postcode": "20095",
    "city": "Hamburg",
    "country": "DE",
    "language": "de",
    "invoice_no": "ALT-1",
    "invoice_date": "2026-01-02",
    "due_date": "2026-02-01",
    "amount": "119.00",
    "currency": "EUR",
}


COLUMNS = list(PLAIN)


def row(**changes: Any) -> dict[str, Any]:
    """One line as its columns; further columns are added at the end."""
    return {**PLAIN, **changes}


def csv_file(*rows: dict[str, Any], semicolon: bool = False) -> bytes:
    """A file with these lines; all have the columns of the first."""
    separator = ";" if semicolon else ","
    lines = [separator.join(rows[0])]
    lines += [
        separator.join(f'"{v}"' if separator in str(v) else str(v) for v in one.values())
        for one in rows
    ]
    return ("\n".join(lines) + "\n").encode()
