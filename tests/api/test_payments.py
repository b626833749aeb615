"""Money comes in once: recorded by a person or told by a signed notice; none of it is lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import Api, one_sentence, sample

CASE = "order-zahltag-ZT-1001"
NOTICE = {
    "event_id": "evt-1",
    "type": "payment.received",
    "provider": "stripe",
    "transaction_id": "ch_1",
    "amount": "119.00",
    "currency": "EUR",
    "valid_on": "2026-11-20",
}


@pytest.fixture
async def invoice(api: Api, good_order: dict[str, Any]) -> str:
    """The number of an invoice over 119.00 EUR that waits for its payment."""
    await api.submit(good_order)
    return (await api.work(CASE)).invoice_no


def payment(invoice: str, **changed: str) -> dict[str, Any]:
    """What a person types in."""
    return {
        "invoice_no": invoice,
        "amount": "119.00",
        "currency": "EUR",
        "reference": "bank-1",
        **changed,
    }


async def test_a_recorded_payment_is_booked_once(api: Api, invoice: str) -> None:
    """201 and booked; the same again 200, known, and nothing changes; the case is told."""
    first = await api.post("/api/payments", payment(invoice), user="anna")
    assert (first.status_code, first.json()["known"]) == (201, False)
    before = await api.counts()
    second = await api.post("/api/payments", payment(invoice), user="anna")
    assert (second.status_code, second.json()) == (200, {**first.json(), "known": True})
    assert await api.counts() == before
    assert (await api.work(CASE)).plan.status == "closed"
    (shown,) = await api.get("/api/payments")
    assert shown == await api.get(f"/api/payments/{shown['id']}")
    assert shown | {"id": 0, "date": ""} == {
        "id": 0,
        "provider": "manual",
        "transaction_id": "bank-1",
        "reference": "bank-1",
        "amount": "119.00",
        "currency": "EUR",
        "date": "",
        "invoice_no": invoice,
        "unallocated": "0.00",
        "allocations": [{"invoice_no": invoice, "amount": "119.00"}],
        "case_id": CASE,
    }
    timeline = (await api.get(f"/api/cases/{CASE}"))["timeline"]
    assert [e["actor"] for e in timeline if e["event"] == "payment_received"] == ["anna"]


async def test_the_same_payment_at_the_same_time(api: Api, invoice: str) -> None:
    """Twenty people record it at once: one payment."""
    answers = await asyncio.gather(
        *(api.post("/api/payments", payment(invoice)) for _ in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert (await api.counts())["payment"] == 1


async def test_the_same_reference_with_other_content_is_refused(api: Api, invoice: str) -> None:
    """Another amount, currency or day under a known reference: 409, and nothing changes."""
    await api.post("/api/payments", payment(invoice, date="2026-11-20"))
    before = await api.counts()
    for changed in ({"amount": "1.00"}, {"currency": "CHF"}, {"date": "2026-11-19"}):
        answer = await api.post("/api/payments", payment(invoice, **changed))
        assert answer.status_code == 409, changed
        assert "Nothing was changed" in one_sentence(answer)
    known = await api.post("/api/payments", payment(invoice))
    assert known.json()["known"] is True
    assert await api.counts() == before


async def test_a_wrong_payment_is_refused(api: Api, invoice: str) -> None:
    """Every wrong field is named at once; no table has a row more."""
    before = await api.counts()
    later = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    for changed, words in (
        ({"amount": "-1"}, "amount: expected an amount above 0"),
        ({"amount": "0.00"}, "amount: expected an amount above 0"),
        ({"amount": "1.001"}, "at most 2 decimals"),
        ({"amount": "1,00"}, "a decimal number such as 119.00"),
        ({"amount": "NaN"}, "a decimal number"),
        ({"amount": "1e3"}, "a decimal number"),
        ({"amount": "9" * 30}, "amount"),
        ({"amount": 119.0}, "text (in JSON: in quotes"),
        ({"currency": "XXX"}, "ISO 4217"),
        ({"currency": "JPY", "amount": "1.5"}, "at most 0 decimals"),
        ({"date": later}, "not in the future"),
        ({"date": "20.11.2026"}, "a date such as"),
        ({"reference": ""}, "reference"),
        ({"reference": "a\u0000b"}, "reference"),
        ({"unknown": "x"}, "no field of that name"),
    ):
        answer = await api.post("/api/payments", {**payment(invoice), **changed})
        assert answer.status_code == 422, (changed, answer.text)
        assert words in one_sentence(answer), changed
    both = await api.post("/api/payments", payment(invoice, amount="x", currency="y", date="z"))
    assert [p["field"] for p in both.json()["problems"]] == ["amount", "currency", "date"]
    unknown = await api.post("/api/payments", payment("RE-2026-99999"))
    assert (unknown.status_code, "no invoice RE-2026-99999" in one_sentence(unknown)) == (404, True)
    assert await api.counts() == before


async def test_a_notice_finds_its_case(api: Api, invoice: str) -> None:
    """By invoice number, or by the order's number and channel; once, however often it comes."""
    by_invoice = {**NOTICE, "invoice_no": invoice}
    answers = await asyncio.gather(*(api.webhook("payments", by_invoice) for _ in range(20)))
    said = sorted(answer.json()["outcome"] for answer in answers)
    assert said == ["known"] * 19 + ["received"]
    by_order = {
        **NOTICE,
        "event_id": "evt-2",
        "transaction_id": "ch_2",
        "order_no": "ZT-1001",
        "channel": "zahltag",
    }
    answer = await api.webhook("payments", by_order)
    assert answer.json()["case_id"] == CASE
    assert (await api.counts())["payment"] == 2
    assert (await api.work(CASE)).plan.status == "closed"
    first, second = await api.get("/api/payments")
    assert (first["unallocated"], second["unallocated"]) == ("0.00", "119.00")


async def test_a_payment_that_fits_nothing_is_not_lost(api: Api) -> None:
    """It is booked on account, with one task for accounting; told twice it stays one."""
    for event in ("evt-1", "evt-2"):
        answer = await api.webhook("payments", {**NOTICE, "event_id": event, "invoice_no": "RE-9"})
        assert answer.status_code == 200
    assert answer.json()["outcome"] == "known"
    (booked,) = await api.get("/api/payments")
    assert (booked["case_id"], booked["unallocated"]) == (None, "119.00")
    (task,) = await api.get("/api/tasks")
    assert (task["kind"], task["assignee"]) == ("payment_unassigned", "anna")
    assert task["context"] == {"payment_id": booked["id"]}


async def test_two_words_about_one_transaction_become_a_task(api: Api, invoice: str) -> None:
    """The provider cannot resolve it by repeating: it is answered, and a person asks."""
    await api.webhook("payments", {**NOTICE, "invoice_no": invoice})
    other = {**NOTICE, "event_id": "evt-2", "amount": "120.00", "invoice_no": invoice}
    answer = await api.webhook("payments", other)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "conflict")
    kinds = [task["kind"] for task in await api.get("/api/tasks")]
    assert kinds.count("payment_conflict") == 1
    assert (await api.counts())["payment"] == 1


async def test_a_failed_payment_is_noted(api: Api, invoice: str) -> None:
    """No money moved: the history says so and somebody gets a task, once."""
    failed = {**NOTICE, "type": "payment.failed", "invoice_no": invoice}
    assert (await api.webhook("payments", failed)).json()["outcome"] == "failure_noted"
    assert (await api.webhook("payments", failed)).json()["outcome"] == "known"
    assert (await api.counts())["payment"] == 0
    kinds = [task["kind"] for task in await api.get("/api/tasks")]
    assert kinds.count("payment_attempt_failed") == 1
    events = [e["event"] for e in (await api.get(f"/api/cases/{CASE}"))["timeline"]]
    assert events.count("payment_failed") == 1


async def test_a_wrong_notice_leaves_no_trace(api: Api) -> None:
    """Not JSON, wrong shape, unknown currency, too many decimals, from the future."""
    before = await api.counts()
    for body, status in (
        (b"{", 400),
        ({"hello": "world"}, 422),
        ({**NOTICE, "currency": "XXX"}, 422),
        ({**NOTICE, "amount": "-1.00"}, 422),
        ({**NOTICE, "amount": "1.001"}, 422),
        ({**NOTICE, "valid_on": "2099-01-01"}, 422),
        ({**NOTICE, "reference": "a\u0000b"}, 422),
    ):
        answer = await api.webhook("payments", body)
        assert answer.status_code == status, (body, answer.text)
        assert one_sentence(answer)
    assert await api.counts() == before


async def test_money_before_the_invoice_waits_for_it(api: Api) -> None:
    """A payment for an order whose data must be corrected first is kept with its case."""
    order = sample("zahltag-ok")
    order["billing_address"]["city"] = ""
    await api.submit(order)
    assert (await api.work(CASE)).plan.status == "needs_correction"
    notice = {**NOTICE, "order_no": "ZT-1001"}
    assert (await api.webhook("payments", notice)).json()["case_id"] == CASE
    await api.post(f"/api/cases/{CASE}/correct", {"fields": {"billing.city": "Bonn"}})
    assert (await api.work(CASE)).plan.status == "closed"
