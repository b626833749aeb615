"""Notices of all shapes for the tests of the documents."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from domain.dunning.notice import AgreedPayment, Notice, NoticeLine, Recipient
from domain.order import CustomerKind
from tests.documents.invoices import COMPANY
from tests.domain.orders import BONN

SENT = date(2026, 11, 23)
AGREED = (AgreedPayment(date(2026, 11, 16), Decimal("50.00")),)

__all__ = ["AGREED", "COMPANY", "SENT", "recipient", "sample_notice", "some_lines"]


def some_lines(count: int = 1, **changes: Any) -> tuple[NoticeLine, ...]:
    """Return overdue invoices of 119.00, 129.00, ... euros."""
    return tuple(
        NoticeLine(
            **{
                "invoice_no": f"RE-2026-{number:05d}",
                "invoice_date": date(2026, 9, 1) + timedelta(days=number % 20),
                "due_date": date(2026, 9, 15) + timedelta(days=number % 20),
                "open_amount": Decimal(109 + 10 * number),
                "currency": "EUR",
            }
            | changes
        )
        for number in range(1, count + 1)
    )


def recipient(**changes: Any) -> Recipient:
    """Return a consumer from Bonn who reads German."""
    values = {
        "customer_no": "K-10023",
        "name": "Katharina Brandt",
        "address": BONN,
        "kind": CustomerKind.B2C,
        "language": "de",
    }
    return Recipient(**(values | changes))


def sample_notice(template: str = "payment_reminder", count: int = 1, **changes: Any) -> Notice:
    """Return a notice of Monday 2026-11-23, payable by 2026-12-03."""
    values: dict[str, Any] = {
        "reference": "M-2026-00017",
        "template": template,
        "level": 1,
        "recipient": recipient(),
        "lines": some_lines(count),
        "sent_on": SENT,
        "deadline": date(2026, 12, 3),
        "agreed": AGREED if template == "instalment_reminder" else (),
    }
    return Notice(**(values | changes))
