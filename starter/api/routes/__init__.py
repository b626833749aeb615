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
    imports,
    invoices,
    ledger,
    mails,
    notices,
    orders,
    payments,
    routing,
    rules,
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
        imports,
        rules,
        notices,
    )
)

__all__ = ["ROUTERS"]
