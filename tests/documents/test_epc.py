"""The QR code for the transfer: exactly what EPC069-12 says, and only where it can be used."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
import segno

from documents.epc import epc_payload, epc_svg
from domain.invoicing import build_cancellation
from tests.documents.invoices import COMPANY, sample_invoice, sample_order
from tests.domain.orders import line


def test_the_payload_line_by_line() -> None:
    """BCD, version, UTF-8, SCT, BIC, name, IBAN, amount, no purpose, no reference, text (R50)."""
    order = sample_order(lines=(line(unit_price=Decimal(100)),), charges=(), discounts=())
    payload = epc_payload(sample_invoice(order))

    assert payload is not None
    assert payload.split("\n") == [
        "BCD",
        "002",
        "1",
        "SCT",
        "COBADEFFXXX",
        "Muster Handels GmbH",
        "DE89370400440532013000",
        "EUR100.00",
        "",
        "",
        "RE-2026-00042 ZT-1",
    ]


def test_nothing_to_transfer_no_code() -> None:
    """Paid, other currencies, no account, or a cancellation."""
    invoice = sample_invoice()

    assert epc_payload(sample_invoice(prepaid=Decimal(1000))) is None
    assert epc_payload(sample_invoice(sample_order(currency="CHF"))) is None
    assert epc_payload(sample_invoice(company=replace(COMPANY, iban=""))) is None
    assert epc_payload(build_cancellation(invoice, "2", invoice.issue_date)) is None
    huge = replace(invoice.totals, payable=Decimal("1000000000.00"))
    assert epc_payload(replace(invoice, totals=huge)) is None


@pytest.mark.parametrize("name", ["Ü" * 100, "a\nb\x00c", "Müller & Söhne GmbH"])
def test_long_and_foreign_fields_stay_in_their_line_and_limit(name: str) -> None:
    """At most 331 bytes; a line break in a name would begin the next field."""
    invoice = sample_invoice()
    invoice = replace(
        invoice, seller=replace(invoice.seller, name=name), remittance=f"{'ü' * 140}\nEUR0.01"
    )
    payload = epc_payload(invoice)

    assert payload is not None
    assert len(payload.split("\n")) == 11
    assert len(payload.encode()) <= 331
    assert len(payload.split("\n")[5]) <= 70
    code = segno.make(payload, error="m", boost_error=False, micro=False, encoding="utf-8")
    assert isinstance(code.version, int)
    assert code.version <= 13


def test_the_drawing_is_the_code() -> None:
    """Counting the dark modules of the path gives the matrix back."""
    payload = "BCD\n002\n1"
    svg = epc_svg(payload)
    code = segno.make(payload, error="m", boost_error=False, micro=False, encoding="utf-8", mask=4)

    widths = [int(width) for width in re.findall(r"h(\d+)v1", svg)]
    assert sum(widths) == sum(map(sum, code.matrix))
    size = len(code.matrix) + 4
    assert f'viewBox="0 0 {size} {size}"' in svg
