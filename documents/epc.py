"""The EPC QR code ("Girocode", EPC069-12 version 2.1) that fills in a SEPA transfer (R50)."""

from __future__ import annotations

import io
import unicodedata
from decimal import Decimal
from functools import lru_cache

import segno

from domain.invoice import DocumentType, Invoice

_MOST = Decimal("999999999.99")
_NAME_LENGTH = 70
_TEXT_LENGTH = 140
_BYTES = 331
_QUIET_ZONE = 2


def epc_payload(invoice: Invoice) -> str | None:
    """Return the code's text, or ``None`` where there is nothing to transfer by SEPA.

    Only euros, only something due, only with an IBAN. Version 002, UTF-8: the BIC is optional.
    """
    amount = invoice.totals.payable
    if invoice.currency != "EUR" or invoice.type is not DocumentType.INVOICE:
        return None
    if not invoice.iban or not 0 < amount <= _MOST:
        return None
    head = "\n".join(
        (
            "BCD",
            "002",
            "1",
            "SCT",
            "".join(invoice.bic.split()),
            _field(invoice.seller.name, _NAME_LENGTH),
            "".join(invoice.iban.split()),
            f"EUR{amount:.2f}",
            "",
            "",
        )
    )
    text = _field(invoice.remittance, _TEXT_LENGTH)
    room = _BYTES - len(head.encode()) - 1
    return f"{head}\n{text.encode()[:room].decode(errors='ignore')}"


@lru_cache(maxsize=256)
def epc_svg(payload: str) -> str:
    """Draw the code: error correction M, never above version 13 (EPC069-12, table 1)."""
    code = segno.make(payload, error="m", boost_error=False, micro=False, encoding="utf-8")
    out = io.BytesIO()
    code.save(out, kind="svg", border=_QUIET_ZONE, xmldecl=False, svgclass=None, lineclass=None)
    return out.getvalue().decode()


def _field(text: str, limit: int) -> str:
    """Keep a field to one line of printable characters: a line break would begin the next one."""
    kept = "".join(
        " " if unicodedata.category(each)[0] in "CZ" else each
        for each in unicodedata.normalize("NFC", text)
    )
    return " ".join(kept.split())[:limit].rstrip()
