"""The routes, one module per aggregate."""

from __future__ import annotations

from starter.api.routes import (
    account_managers,
    agreements,
    approvals,
    blocks,
    calls,
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
        agreements,
        blocks,
        calls,
        account_managers,
    )
)

__all__ = ["ROUTERS"]
