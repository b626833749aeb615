"""A sound order and company, for tests to change one thing at a time."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.company import Company
from domain.order import (
    Address,
    Buyer,
    CustomerKind,
    Order,
    OrderLine,
    OrderPayment,
    PaymentStatus,
    PriceMode,
)

BONN = Address(
    name="Katharina Brandt",
    street="Adenauerallee 112",
    postcode="53113",
    city="Bonn",
    country="DE",
)
COMPANY = Company(
    name="Muster Handels GmbH",
    address=Address(company="Muster Handels GmbH", country="DE"),
    time_zone="Europe/Berlin",
    currency="EUR",
    iban="DE89370400440532013000",
    email="rechnung@muster-handel.example",
    vat_id="DE136695976",
)


def line(**changes: Any) -> OrderLine:
    """Return a line of 100.00 at 19 percent."""
    values = {
        "name": "Beratung",
        "quantity": Decimal(1),
        "unit_price": Decimal("100.00"),
        "tax_rate": Decimal(19),
        "sku": "BER",
    }
    return OrderLine(**(values | changes))


def order(**changes: Any) -> Order:
    """Return a consumer's sound order from Bonn."""
    values = {
        "source": "zahltag",
        "channel": "zahltag",
        "order_no": "ZT-1",
        "external_id": "1",
        "placed_at": datetime(2026, 11, 16, 9, 0, tzinfo=UTC),
        "modified_at": datetime(2026, 11, 16, 9, 0, tzinfo=UTC),
        "currency": "EUR",
        "price_mode": PriceMode.NET,
        "buyer": Buyer("K-1", CustomerKind.B2C, "Katharina Brandt", email="k.brandt@example.org"),
        "billing": BONN,
        "shipping": Address(),
        "lines": (line(),),
        "payment": OrderPayment(PaymentStatus.OPEN),
        "total": Decimal("119.00"),
        "total_tax": Decimal("19.00"),
    }
    return Order(**(values | changes))
