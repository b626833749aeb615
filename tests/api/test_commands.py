"""Commands: stored first, then told to the workflow; safe to repeat; refused in the wrong state."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.messages import Command
from starter import commands
from starter.dispatcher import MESSAGES

from .conftest import Api, one_sentence, sample

CASE = "order-zahltag-ZT-1001"


async def outbox(api: Api, signal: str) -> list[Any]:
    """Return the outbox rows of a signal."""
    async with api.database.transaction() as session:
        rows = await session.execute(
            text("select payload, delivered_at from outbox where signal = :s"), {"s": signal}
        )
        return list(rows)


@pytest.fixture
async def waiting(api: Api, good_order: dict[str, Any]) -> str:
    """A case whose billing address has no town."""
    good_order["billing_address"]["city"] = ""
    await api.submit(good_order)
    assert (await api.work(CASE)).plan.status == "needs_correction"
    return CASE


async def approval_of(api: Api) -> int:
    """Make a case that waits for an approval, and return the approval's id."""
    case_id = (await api.submit(sample("zahltag-risk"))).json()["case_id"]
    assert (await api.work(case_id)).plan.status == "needs_approval"
    (approval,) = await api.get("/api/approvals")
    assert approval["case_id"] == case_id
    return int(approval["id"])


async def test_a_correction_is_stored_and_told(api: Api, waiting: str) -> None:
    """The workflow gets a command without personal data; the case goes on."""
    body = {"fields": {"billing.city": "Bonn"}}
    answer = await api.post(f"/api/cases/{waiting}/correct", body, user="anna")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["known"], answer.json()["effective"]) == (False, True)
    ((case_id, name, command),) = api.temporal.updates
    assert (case_id, name, command.by, command.stored) == (CASE, "correct", "anna", True)
    ((payload, delivered),) = await outbox(api, "correct_order")
    assert MESSAGES["correct_order"].model_validate(payload) == command
    assert "Bonn" not in str(payload)
    assert delivered is not None
    assert (await api.work(CASE)).plan.status == "awaiting_payment"


async def test_a_correction_again_is_known(api: Api, waiting: str) -> None:
    """Nothing changes, before and after the invoice; another one then is refused."""
    body = {"fields": {"billing.city": "Bonn"}}
    await api.post(f"/api/cases/{waiting}/correct", body)
    await api.work(CASE)
    before = await api.counts()
    again = await api.post(f"/api/cases/{waiting}/correct", body)
    assert (again.status_code, again.json()["known"]) == (200, True)
    late = await api.post(f"/api/cases/{waiting}/correct", {"fields": {"billing.city": "Köln"}})
    assert (late.status_code, "never changed" in one_sentence(late)) == (409, True)
    assert await api.counts() == before


async def test_what_a_person_corrected_the_shop_did_not_change(
    api: Api, good_order: dict[str, Any], waiting: str
) -> None:
    """The shop sends the same again: known. It sends another city: somebody has to look."""
    document = good_order  # as ``waiting`` has submitted it
    for city in ("Bonn", "Mainz"):
        await api.post(f"/api/cases/{waiting}/correct", {"fields": {"billing.city": city}})
    assert (await api.webhook("zahltag", document, event="again")).json()["outcome"] == "known"
    document["billing_address"]["city"] = "Ulm"
    document["modified_at"] = "2026-12-01T12:00:00+01:00"
    assert (await api.webhook("zahltag", document, event="other")).json()["outcome"] == "changed"
    assert [task["kind"] for task in await api.get("/api/tasks")][-1:] == ["order_changed"]


async def test_a_deadlock_is_told_as_a_moment_to_try_again(
    api: Api, good_order: dict[str, Any]
) -> None:
    """Somebody holds the case and wants its customer: the database breaks off one of the two."""
    case = "select from case_file where id = :id for update"
    customer = """select from customer where id =
                  (select customer_id from sales_order where case_id = :id) for update"""
    await api.submit(good_order)
    await api.work(CASE)
    before = await api.counts()
    async with api.database.transaction() as session:
        await session.execute(text(case), {"id": CASE})
        crossing = asyncio.create_task(api.post(f"/api/cases/{CASE}/cancel", {"reason": "x"}))
        await asyncio.sleep(0.3)  # it has the customer, and waits for the case
        await session.execute(text(customer), {"id": CASE})
    answer = await crossing
    assert (answer.status_code, "try again" in one_sentence(answer)) == (503, True)
    assert await api.counts() == before
    again = await api.post(f"/api/cases/{CASE}/cancel", {"reason": "x"})
    assert again.status_code == 200


async def test_wrong_corrections_are_all_named(api: Api, waiting: str) -> None:
    """Every wrong field at once, and nothing is changed."""
    before = await api.counts()
    fields = {"billing.town": "Bonn", "lines.1.quantity": "-1", "billing.city": "Bonn"}
    answer = await api.post(f"/api/cases/{waiting}/correct", {"fields": fields})
    assert answer.status_code == 422
    named = {problem["field"] for problem in answer.json()["problems"]}
    assert named == {"billing.town", "lines.1.quantity"}
    for body in ({"fields": {}}, {}, {"fields": {"billing.city": 1}}):
        assert (await api.post(f"/api/cases/{waiting}/correct", body)).status_code == 422
    assert (await api.get(f"/api/cases/{CASE}"))["status"] == "needs_correction"
    assert await api.counts() == before


@pytest.mark.parametrize(
    ("missing", "words"),
    [("idle", "as soon as a worker runs"), ("away", "Temporal is away")],
)
async def test_without_a_worker_a_command_is_kept(
    api: Api, waiting: str, monkeypatch: pytest.MonkeyPatch, missing: str, words: str
) -> None:
    """It is stored, the answer says so, and the dispatcher will tell the case."""
    monkeypatch.setattr(commands, "PATIENCE", 0.2)
    setattr(api.temporal, missing, True)
    body = {"fields": {"billing.city": "Bonn"}}
    answer = await api.post(f"/api/cases/{waiting}/correct", body)
    assert answer.status_code == 200
    assert answer.json()["effective"] is False
    assert words in answer.json()["message"]
    ((payload, delivered),) = await outbox(api, "correct_order")
    assert delivered is None
    assert Command.model_validate(payload).stored


async def test_the_wrong_state_refuses_a_command(api: Api, good_order: dict[str, Any]) -> None:
    """Nothing failed, nothing asked for: one sentence says what the case waits for."""
    await api.submit(good_order)
    await api.work(CASE)
    before = await api.counts()
    answer = await api.post(f"/api/cases/{CASE}/retry")
    assert answer.status_code == 409
    assert "Nothing failed" in one_sentence(answer)
    assert "It waits for: payment." in one_sentence(answer)
    missing = await api.post("/api/cases/order-none-1/retry")
    assert (missing.status_code, "no case order-none-1" in one_sentence(missing)) == (404, True)
    assert await api.counts() == before
    assert api.temporal.updates == []


async def test_an_approval_is_decided_once(api: Api) -> None:
    """The same decision again is known, the other one is refused; the case goes on."""
    number = await approval_of(api)
    first = await api.post(f"/api/approvals/{number}/approve", user="anna")
    assert (first.status_code, first.json()["known"]) == (200, False)
    before = await api.counts()
    again = await api.post(f"/api/approvals/{number}/approve")
    assert (again.status_code, again.json()["known"]) == (200, True)
    other = await api.post(f"/api/approvals/{number}/reject", {"reason": "no"})
    assert (other.status_code, "approved by anna" in one_sentence(other)) == (409, True)
    assert await api.counts() == before
    assert [update[1] for update in api.temporal.updates] == ["approve"]
    assert await api.get("/api/approvals") == []


async def test_a_rejection_closes_the_case(api: Api) -> None:
    """With its reason in the history, and without an invoice."""
    number = await approval_of(api)
    answer = await api.post(f"/api/approvals/{number}/reject", {"reason": "fraud"}, user="anna")
    case_id = answer.json()["case_id"]
    assert (await api.work(case_id)).plan.status == "rejected"
    shown = await api.get(f"/api/cases/{case_id}")
    assert shown["invoice_no"] is None
    assert any("fraud" in e["text"] and e["actor"] == "anna" for e in shown["timeline"])
    ((payload, _),) = await outbox(api, "rejection")
    assert "fraud" not in str(payload)


async def test_a_task_is_done_once(api: Api, good_order: dict[str, Any]) -> None:
    """The same outcome again is known, another one is refused."""
    await api.submit(good_order)
    await api.work(CASE)
    (task,) = await api.get("/api/tasks")
    path = f"/api/tasks/{task['id']}/done"
    done = (await api.post(path, {"outcome": "called"}, user="anna")).json()
    assert (done["known"], done["status"], done["done_by"]) == (False, "done", "anna")
    assert (await api.post(path, {"outcome": "called"})).json()["known"] is True
    assert (await api.post(path, {"outcome": "other"})).status_code == 409


async def test_ending_commands_are_stored_told_and_repeatable(
    api: Api, good_order: dict[str, Any]
) -> None:
    """Extend, write off with four eyes, cancel: each has its signal as a safety net."""
    await api.submit(good_order)
    waiting = await api.work(CASE)
    assert waiting.due_date
    due = (waiting.due_date + timedelta(days=7)).isoformat()

    moved = await api.post(f"/api/cases/{CASE}/extend", {"due": due}, user="anna")
    again = await api.post(f"/api/cases/{CASE}/extend", {"due": due}, user="anna")
    assert (moved.json()["known"], again.json()["known"]) == (False, True)

    reason = {"reason": "insolvent"}
    await api.post(f"/api/cases/{CASE}/write-off", reason, user="anna")
    (approval,) = await api.get("/api/approvals")
    own = await api.post(f"/api/approvals/{approval['id']}/approve", {}, user="anna")
    assert own.status_code == 403
    assert "somebody else" in one_sentence(own)

    cancelled = await api.post(f"/api/cases/{CASE}/cancel", {"reason": "wrong"}, user="anna")
    assert cancelled.status_code == 200, cancelled.text
    assert (await api.work(CASE)).plan.status == "cancelled"
    audit = await api.get("/api/audit")
    assert audit["ok"] is True, audit
    for signal in ("extend_due_date", "write_off_proposed", "cancel_order"):
        assert len(await outbox(api, signal)) == 1


@pytest.mark.parametrize(
    ("command", "body", "words"),
    [
        ("extend", {"due": "tomorrow"}, "2026-12-31"),
        ("extend", {"due": "2020-01-01"}, "between"),
        ("cancel", {"reason": ""}, "reason"),
        ("write-off", {"reason": " "}, "reason"),
    ],
)
async def test_bad_ending_commands_change_nothing(
    api: Api, good_order: dict[str, Any], command: str, body: dict[str, str], words: str
) -> None:
    """One sentence, and no trace."""
    await api.submit(good_order)
    await api.work(CASE)
    before = await api.counts()

    answer = await api.post(f"/api/cases/{CASE}/{command}", body, user="anna")

    assert answer.status_code in {400, 422}
    assert words in answer.text
    assert await api.counts() == before


async def test_customer_terms_are_edited(api: Api, good_order: dict[str, Any]) -> None:
    """Only by who may, only to what makes sense."""
    await api.submit(good_order)
    await api.work(CASE)
    (customer,) = await api.get("/api/customers")
    path = f"/api/customers/{customer['customer_no']}"
    assert (await api.post(path, {"terms_days": 7}, user="anna")).json()["terms_days"] == 7
    assert (await api.post(path, {"terms_days": 7}, user="viktor")).status_code == 403
    assert (await api.post(path, {"terms_days": 900}, user="anna")).status_code == 422
