"""The routes, one module per aggregate."""

from __future__ import annotations

from starter.api.routes import (
    approvals,
    cases,
    channels,
    company,
    customers,
    exceptions,
    health,
    imports,
    invoices,
    ledger,
    mails,
    orders,
    payments,
    rules,
    tasks,
    webhooks,
)

ROUTERS = tuple(
    module.router
    for module in (
        health,
        webhooks,
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
        imports,
        rules,
    )
)

__all__ = ["ROUTERS"]
