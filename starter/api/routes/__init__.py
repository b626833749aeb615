"""The routes, one module per aggregate."""

from __future__ import annotations

from starter.api.routes import (
    approvals,
    cases,
    channels,
    codec,
    company,
    customers,
    exceptions,
    health,
    invoices,
    ledger,
    mails,
    orders,
    payments,
    routing,
    tasks,
)

ROUTERS = tuple(
    module.router
    for module in (
        health,
        orders,
        cases,
        payments,
        invoices,
        mails,
        customers,
        tasks,
        exceptions,
        approvals,
        ledger,
        company,
        channels,
        codec,
        routing,
    )
)

__all__ = ["ROUTERS"]
