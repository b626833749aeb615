"""Invoices of all shapes for the tests of the documents."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter
from pypdf import PdfReader

from domain.company import Company, PaymentTerms
from domain.invoice import Invoice
from domain.invoicing import build_invoice, price
from domain.order import (
    Buyer,
    ChargeKind,
    CustomerKind,
    Order,
    OrderCharge,
    OrderDiscount,
    OrderPayment,
    PaymentStatus,
    PriceMode,
)
from tests.domain.orders import BONN, line, order

_SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "company.yaml"
COMPANY = TypeAdapter(Company).validate_python(yaml.safe_load(_SAMPLE.read_text("utf-8")))


def sample_order(count: int = 3, *, net: bool = False, **changes: Any) -> Order:
    """Return an order of ``count`` lines at two rates, with shipping and a voucher."""
    values: dict[str, Any] = {
        "price_mode": PriceMode.NET if net else PriceMode.GROSS,
        "buyer": Buyer(
            "K-1",
            CustomerKind.B2B if net else CustomerKind.B2C,
            "Katharina Brandt",
            company="Brandt & Söhne KG" if net else "",
            vat_id="DE136695976" if net else "",
        ),
        "billing": replace(BONN, company="Brandt & Söhne KG" if net else ""),
        "lines": tuple(
            line(
                name=f"Kaffeebohnen Sorte {number}",
                sku=f"KB-{number}",
                quantity=Decimal(number % 3 + 1),
                unit_price=Decimal("19.95"),
                tax_rate=Decimal(7 if number % 2 else 19),
                discount=Decimal("1.50") if number == 1 else Decimal(0),
                discount_reason="Mengenrabatt" if number == 1 else "",
            )
            for number in range(1, count + 1)
        ),
        "charges": (OrderCharge(ChargeKind.SHIPPING, "DHL Paket", Decimal("4.90"), Decimal(19)),),
        "discounts": (OrderDiscount("Gutschein HERBST", Decimal("2.00")),),
        "payment": OrderPayment(PaymentStatus.OPEN, method="PayPal"),
        "total_tax": None,
    }
    found = order(**(values | changes))
    return replace(found, total=price(found).totals.charged)


def sample_invoice(
    order_: Order | None = None, company: Company = COMPANY, **changes: Any
) -> Invoice:
    """Return the invoice of an order, on 2026-11-22, due on 2026-12-06."""
    arguments: dict[str, Any] = {
        "customer_no": "K-10023",
        "number": "RE-2026-00042",
        "issue_date": date(2026, 11, 22),
        "due_date": date(2026, 12, 6),
        "terms": PaymentTerms(14),
    }
    return build_invoice(order_ or sample_order(), company, **(arguments | changes))


def pages(pdf: bytes) -> list[str]:
    """Return the text of each page, with plain blanks."""
    blanks = {0xA0: " ", 0x202F: " ", 0x200B: ""}
    return [page.extract_text().translate(blanks) for page in PdfReader(BytesIO(pdf)).pages]


def text(pdf: bytes) -> str:
    """Return the text of the whole document in one line."""
    return " ".join(" ".join(pages(pdf)).split())
