"""The EPC QR code ("Girocode", EPC069-12 version 2.1) that fills in a SEPA transfer (R50)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from itertools import groupby

import segno

from domain.invoice import DocumentType, Invoice

_MOST = Decimal("999999999.99")
_NAME_LENGTH = 70
_TEXT_LENGTH = 140
_BYTES = 331
_QUIET_ZONE = 2
_MASK = 4


def epc_payload(invoice: Invoice) -> str | None:
    """Return the code's text of an invoice, or ``None`` where nothing is to be transferred."""
    if invoice.type is not DocumentType.INVOICE:
        return None
    return transfer_payload(
        name=invoice.seller.name,
        iban=invoice.iban,
        bic=invoice.bic,
        amount=invoice.totals.payable,
        currency=invoice.currency,
        text=invoice.remittance,
    )


def transfer_payload(
    *, name: str, iban: str, bic: str, amount: Decimal, currency: str, text: str
) -> str | None:
    """Return the code's text of a transfer, or ``None`` where there is none by SEPA.

    Only euros, only something due, only with an IBAN. Version 002, UTF-8: the BIC is optional.
    """
    if currency != "EUR" or not iban or not 0 < amount <= _MOST:
        return None
    head = "\n".join(
        (
            "BCD",
            "002",
            "1",
            "SCT",
            "".join(bic.split()),
            _field(name, _NAME_LENGTH),
            "".join(iban.split()),
            f"EUR{amount:.2f}",
            "",
            "",
        )
    )
    reference = _field(text, _TEXT_LENGTH)
    room = _BYTES - len(head.encode()) - 1
    return f"{head}\n{reference.encode()[:room].decode(errors='ignore')}"


def epc_svg(payload: str) -> str:
    """Draw the code: error correction M, never above version 13 (EPC069-12, table 1).

    Every reader reads every mask; trying all eight for the fairest pattern, as the library does
    when none is named, takes as long as the whole invoice.
    """
    code = segno.make(
        payload, error="m", boost_error=False, micro=False, encoding="utf-8", mask=_MASK
    )
    size = len(code.matrix) + 2 * _QUIET_ZONE
    path = "".join(_bars(row, y) for y, row in enumerate(code.matrix, _QUIET_ZONE))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}">'
        f'<path d="{path}"/></svg>'
    )


def _bars(row: Iterable[int], y: int) -> str:
    """Return the dark runs of one row as rectangles of an SVG path."""
    bars, x = [], _QUIET_ZONE
    for dark, run in groupby(row):
        width = len(list(run))
        if dark:
            bars.append(f"M{x} {y}h{width}v1h-{width}z")
        x += width
    return "".join(bars)


def _field(text: str, limit: int) -> str:
    """Keep a field to one line of printable characters: a line break would begin the next one."""
    kept = "".join(
        " " if unicodedata.category(each)[0] in "CZ" else each
        for each in unicodedata.normalize("NFC", text)
    )
    return " ".join(kept.split())[:limit].rstrip()
