"""What a payment settles."""

from __future__ import annotations

from decimal import Decimal


def settle(
    *, owed: Decimal, owed_currency: str, received: Decimal, received_currency: str
) -> Decimal:
    """Return how much of a claim a payment settles: all that is owed, or all that was received.

    Money in another currency settles nothing by itself: a person decides at which rate.
    """
    if owed_currency != received_currency:
        return Decimal(0)
    return min(owed, received)
