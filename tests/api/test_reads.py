"""Lists and shows: the keys of the contract, money as text, one statement however long the list."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import event, text

from .conftest import Api, sample

CASE = "order-zahltag-ZT-1001"


async def test_the_keys_of_the_contract(api: Api, good_order: dict[str, Any]) -> None:
    """Cases, customers and invoices of a plain order that waits for its payment."""
    await api.submit(good_order)
    progress = await api.work(CASE)
    (item,) = await api.get("/api/cases")
    for group in ("payments", "invoices", "customers", "tasks", "exceptions", "approvals"):
        assert all("id" in row for row in await api.get(f"/api/{group}"))
    assert item["id"] == CASE
    assert (item["kind"], item["status"], item["amount_due"]) == (
        "order",
        "awaiting_payment",
        "119.00",
    )
    assert await api.get("/api/cases?status=closed") == []
    shown = await api.get(f"/api/cases/{CASE}")
    assert " ".join(shown) == (
        "id status payment_status fulfilment_status return_status accounting_status order_no"
        " customer_no invoice_no amount_due currency due_date next_step next_step_at why problems"
        " timeline"
    )
    assert set(shown["timeline"][0]) == {"at", "actor", "event", "text"}
    customer = await api.get(f"/api/customers/{shown['customer_no']}")
    (listed,) = await api.get("/api/customers")
    assert {**customer, **listed} == customer  # show says more than the list, and nothing else
    expected = {
        "customer_no": shown["customer_no"],
        "name": "Brandt & Söhne GmbH",
        "level": 0,
        "notices_count": 0,
        "debt": "119.00",
        "overdue": "0.00",
        "oldest_overdue_days": 0,
        "problematic": False,
        "blocked": False,
        "promise": None,
        "manager": None,
        "next_step": shown["next_step"],
        "why": shown["why"],
    }
    assert {key: customer[key] for key in expected} == expected
    assert progress.invoice_no == shown["invoice_no"]


async def test_an_overdue_customer(api: Api, good_order: dict[str, Any]) -> None:
    """Days count from the due date; sums are per currency."""
    await api.submit(good_order)
    await api.work(CASE)
    async with api.database.transaction() as session:
        await session.execute(text("update open_item set due_date = current_date - 7"))
    (customer,) = await api.get("/api/customers")
    assert customer["overdue"] == "119.00"
    assert customer["oldest_overdue_days"] in {6, 7, 8}  # the database's day may not be Berlin's
    (invoice,) = await api.get("/api/invoices")
    assert invoice["status"] == "overdue"


async def test_problems_have_field_expectation_and_owner(
    api: Api, good_order: dict[str, Any]
) -> None:
    """In the case and in the list of exceptions."""
    good_order["billing_address"]["city"] = ""
    await api.submit(good_order)
    await api.work(CASE)
    problem = (await api.get(f"/api/cases/{CASE}"))["problems"][0]
    assert set(problem) == {"field", "expected", "found", "kind", "owner"}
    exception = (await api.get("/api/exceptions"))[0]
    assert problem.items() <= exception.items()
    assert (exception["case_id"], exception["age"]) == (CASE, "0 h")
    shown = await api.get(f"/api/exceptions/{exception['id']}")
    assert shown["resolved_at"] is None


async def test_the_document_is_the_stored_one(api: Api, good_order: dict[str, Any]) -> None:
    """Byte for byte, with its hash."""
    await api.submit(good_order)
    number = (await api.work(CASE)).invoice_no
    shown = await api.get(f"/api/invoices/{number}")
    assert (shown["net"], shown["tax"], shown["total"], shown["open"], shown["status"]) == (
        "100.00",
        "19.00",
        "119.00",
        "119.00",
        "open",
    )
    assert len(shown["lines"]) == 1
    answer = await api.call("GET", f"/api/invoices/{number}/document")
    assert answer.content.startswith(b"%PDF")
    assert hashlib.sha256(answer.content).hexdigest() == shown["document"]["sha256"]
    assert answer.headers["X-Content-SHA256"] == shown["document"]["sha256"]


async def test_the_ledger_and_the_audit(api: Api, good_order: dict[str, Any]) -> None:
    """The journal of a customer and of an invoice; every check of the books holds."""
    await api.submit(good_order)
    progress = await api.work(CASE)
    body = {
        "invoice_no": progress.invoice_no,
        "amount": "100.00",
        "currency": "EUR",
        "reference": "r",
    }
    await api.post("/api/payments", body)
    await api.work(CASE)
    by_customer = await api.get(f"/api/ledger?customer={progress.customer_no}")
    assert {"account": "receivables", "currency": "EUR", "balance": "19.00"} in by_customer[
        "balances"
    ]
    by_invoice = await api.get(f"/api/ledger?invoice={progress.invoice_no}")
    assert [entry["kind"] for entry in by_invoice["entries"]] == [
        "invoice_issued",
        "payment_allocated",
    ]
    audit = await api.get("/api/audit")
    assert audit["ok"] is True
    assert len(audit["checks"]) > 8


async def test_the_audit_finds_what_is_broken(api: Api, good_order: dict[str, Any]) -> None:
    """Whatever the guards of the database kept out, if it got in the audit names it."""
    await api.submit(good_order)
    await api.work(CASE)
    async with api.database.transaction() as session:
        await session.execute(text("set local session_replication_role = replica"))
        await session.execute(text("update document set content = 'x'"))
        await session.execute(text("update open_item set open_amount = 1"))
        await session.execute(text("update invoice_counter set last = 7"))
    audit = await api.get("/api/audit")
    broken = [check["name"] for check in audit["checks"] if not check["ok"]]
    assert audit["ok"] is False
    assert broken == [
        "open items agree with the journal",
        "the counters stand at the last numbers given",
        "every document is byte for byte what was stored",
    ]


async def test_lists_need_the_same_statements_however_long(api: Api) -> None:
    """No list asks the database once per row."""

    async def statements(path: str) -> int:
        seen = []
        engine = api.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", seen_one := lambda *_: seen.append(1))
        await api.get(path)
        event.remove(engine, "before_cursor_execute", seen_one)
        return len(seen)

    paths = [
        f"/api/{name}"
        for name in ("cases", "payments", "invoices", "customers", "tasks", "exceptions")
    ]
    empty = [await statements(path) for path in paths]
    for name in (
        "zahltag-ok",
        "zahltag-paid",
        "zahltag-payment-failed",
        "zahltag-missing-tax-rate",
    ):
        answer = await api.submit(sample(name))
        await api.work(answer.json()["case_id"])
    assert [await statements(path) for path in paths] == empty
    assert max(empty) <= 4
