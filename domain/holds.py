"""When an order waits for a person's approval before anything is made of it."""

from __future__ import annotations

from domain.company import Company
from domain.order import Order, PaymentStatus
from domain.risk import risk_signals


def approval_reason(order: Order, company: Company) -> str:
    """Return why the order needs an approval, or ``""``.

    It does where the shop or the provider calls the payment risky, and where an order that is not
    paid yet is above the company's limit. Our own risk signals are named with it; alone they hold
    nobody up, unless the order is not paid either (SEEDS A5, C1).
    """
    signals = risk_signals(order)
    named = f" ({'; '.join(signals)})" if signals else ""
    if order.payment.status is PaymentStatus.RISK:
        return f"the payment was marked as risky{named}"
    unpaid = order.payment.status in {PaymentStatus.OPEN, PaymentStatus.LATER}
    limit = company.approval_above
    if unpaid and limit is not None and order.total > limit:
        return f"{order.total} {order.currency} on account is above the limit of {limit}{named}"
    if order.payment.status is PaymentStatus.LATER and signals:
        return f"an order on account with risk signals{named}"
    return ""
