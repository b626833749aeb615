"""How values look in JSON: money as decimal strings with the currency's decimals."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from domain.money import minor_units, round_amount


def money(amount: Decimal | None, currency: str) -> str | None:
    """Write an amount: ``"119.00"`` in EUR, ``"119"`` in JPY; None stays None."""
    if amount is None:
        return None
    return f"{round_amount(amount, currency):.{minor_units(currency)}f}"


def age(since: datetime, at: datetime) -> str:
    """Say how long ago something was: in hours on the first two days, then in days."""
    hours = max(int((at - since).total_seconds() // 3600), 0)
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"
