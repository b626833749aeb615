"""No personal data lies in clear in what Temporal keeps and what our processes log.

Dunning goes through a call, mails, letters, rejections, blocks and questions, with reasons that name
the person. Orders with every kind of mail are taken through the API: refused, retried, extended, paid, rescued,
corrected, cancelled. Then every byte of Temporal's histories, descriptions, lists and details, and
every line of the logs, is searched for the person's name, street, e-mail, phone, VAT id and the
words in them. With encryption nothing is found, whatever was typed; without it neither, but for one
thing: a correction typed into Temporal itself. That it is found shows that the search can find.
"""

from __future__ import annotations

import asyncio
import copy
import io
import json
import logging
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from sqlalchemy import text
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    ListWorkflowExecutionsRequest,
    QueryWorkflowRequest,
)
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from connectors.mailbox import list_mails
from domain.dunning.case import Status
from models.messages import Command, Progress
from models.payload_keys import new_payload_key
from models.payloads import ENCODING
from models.store import payments
from models.store.payments import Receipt
from starter.api.app import make_app
from starter.logs import DiscreetFormatter
from starter.payload_key_use import payloads_in
from tests.workflows.arrears import TODAY, Arrears
from tests.workflows.house import House, eventually, now
from tests.workflows.opening import client_with

BUYER = {
    "customer_id": "K-7",
    "kind": "b2b",
    "name": "Quirina Zwölfender",
    "company": "Zwölfender Möbelwerk OHG",
    "email": "quirina.zwoelfender@moebelwerk-harz.example",
    "phone": "+49 3946 5550187",
    "vat_id": "DE136695976",
    "language": "de",
}
HOME = {
    "name": "Quirina Zwölfender",
    "street": "Klopstockstieg 47",
    "postcode": "06484",
    "city": "Quedlinburg",
    "country": "DE",
}
TYPED = "Wipertigasse 9"
PERSONAL = [*BUYER.values(), *HOME.values(), TYPED]
# Whole values, their words of four letters and more, and numbers nobody else has.
NEEDLES = sorted(
    {value.lower() for value in PERSONAL if len(value) > 5}
    | {word.lower() for value in PERSONAL for word in re.findall(r"[^\W\d_]{4,}|\d{7,}", value)}
)


def found_in(text: str) -> set[str]:
    """The personal values that occur in a text, as they are or as JSON escapes them."""
    lower = text.lower()
    return {one for one in NEEDLES if one in lower or json.dumps(one)[1:-1] in lower}


@dataclass
class Watched:
    """A house behind its API, and everything that was logged."""

    house: House
    api: httpx.AsyncClient
    logged: io.StringIO
    encrypted: bool

    async def order(self, number: int, **changes: Any) -> str:
        """Submit an order of the person through the API; each has another total."""
        document: dict[str, Any] = {
            "order_no": f"P-{number}",
            "external_id": f"p-{number}",
            "placed_at": "2026-11-16T10:02:11+01:00",
            "currency": "EUR",
            "prices": "net",
            "buyer": BUYER,
            "billing_address": HOME,
            "lines": [
                {
                    "sku": "A",
                    "name": "Regal",
                    "quantity": str(number),
                    "unit_price": "100.00",
                    "tax_rate": "19",
                    "total": f"{100 * number}.00",
                }
            ],
            "total": f"{119 * number}.00",
            "total_tax": f"{19 * number}.00",
            "payment": {"status": "later", "method": "Rechnung"},
        }
        path = f"/api/orders?source=zahltag&channel={self.house.channel}"
        answer = await self.api.post(path, json=document | changes)
        assert answer.status_code == 200, answer.text
        self.house.wake.set()
        return str(answer.json()["case_id"])

    async def command(self, case_id: str, name: str, **body: Any) -> None:
        """Command a case through the API."""
        answer = await self.api.post(f"/api/cases/{case_id}/{name}", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["effective"], answer.text

    async def seen_of(self, case_id: str) -> str:
        """Everything that Temporal keeps or says of a case; what is sealed is left out."""
        service = self.house.client.workflow_service
        own = {"namespace": self.house.client.namespace}
        execution = WorkflowExecution(workflow_id=case_id)
        listed = await eventually(lambda: self._listed(case_id))
        described = await service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(execution=execution, **own)
        )
        query = WorkflowQuery(query_type="__temporal_workflow_metadata")
        details = await service.query_workflow(
            QueryWorkflowRequest(execution=execution, query=query, **own)
        )
        events = (await self.house.workflow(case_id).fetch_history()).events
        return "\n".join(map(self._bytes_of, [*events, described, details, listed]))

    async def _listed(self, case_id: str) -> Message | None:
        answer = await self.house.client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(
                namespace=self.house.client.namespace, query=f"WorkflowId = '{case_id}'"
            )
        )
        return answer if answer.executions else None

    def _bytes_of(self, message: Message) -> str:
        seen = copy.deepcopy(message)
        for payload in payloads_in(seen):
            if payload.metadata["encoding"] == ENCODING:
                payload.ClearField("data")
            elif self.encrypted:  # the SDK's own note beside the result of a local activity
                assert b'"activity_id"' in payload.data, payload
        return seen.SerializeToString().decode(errors="replace")


@pytest.fixture(params=["encrypted", "clear"])
def encrypted(request: pytest.FixtureRequest) -> bool:
    """With a key, and without one."""
    return bool(request.param == "encrypted")


@pytest_asyncio.fixture
async def client(temporal: WorkflowEnvironment, encrypted: bool) -> Client:  # noqa: FBT001
    """The client of this test's house."""
    return await client_with(temporal, str(new_payload_key("k1")) if encrypted else "")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the processes' own formatter writes, more than they would let through."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(DiscreetFormatter("%(name)s %(message)s"))
    handler.addFilter(lambda record: record.name != "mail.log")  # the mail server's own
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield written
    root.setLevel(level)
    root.removeHandler(handler)


@pytest_asyncio.fixture
async def watched(
    house: House,
    encrypted: bool,  # noqa: FBT001
    logged: io.StringIO,
) -> AsyncIterator[Watched]:
    """The house, its mail server refusing the person at first."""
    logging.getLogger("temporalio").setLevel(logging.INFO)

    async def connected() -> Client:
        return house.client

    app = make_app(house.settings, house.database, connected)
    token = house.settings.api_token.get_secret_value()
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://test",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    ) as api:
        yield Watched(house, api, logged, encrypted)


async def _refused_extended_and_paid(watched: Watched) -> str:
    house = watched.house
    case_id = await watched.order(1)
    await house.reaches(case_id, "needs_retry")
    house.refuses.clear()
    await watched.command(case_id, "retry")
    due = (await house.reaches(case_id, "awaiting_payment")).due_date
    assert due
    await watched.command(case_id, "extend", due=(due + timedelta(days=7)).isoformat())

    async def told() -> bool | None:
        return "due_date_changed" in await house.mails(case_id) or None

    await eventually(told)
    await house.pay(case_id, "200.00", f"paid-{house.channel}")  # more than is owed: a task
    assert await house.ends(case_id) == "closed"
    return case_id


async def _cancelled(watched: Watched) -> str:
    case_id = await watched.order(2)
    await watched.house.reaches(case_id, "awaiting_payment")
    await watched.command(case_id, "cancel", reason="ordered by mistake")
    assert await watched.house.ends(case_id) == "cancelled"
    return case_id


async def _rescued(watched: Watched) -> str:
    case_id = await watched.order(3, payment={"status": "failed", "method": "Lastschrift"})
    file = await watched.house.reaches(case_id, "payment_failed")
    await watched.house.pay(case_id, f"{file.amount_due:.2f}", f"rescued-{watched.house.channel}")
    assert await watched.house.ends(case_id) == "closed"
    return case_id


async def _corrected_by_the_api(watched: Watched) -> str:
    case_id = await watched.order(4, billing_address=HOME | {"street": ""})
    await watched.house.reaches(case_id, "needs_correction")
    await watched.command(case_id, "correct", fields={"billing.street": TYPED})
    await watched.house.reaches(case_id, "awaiting_payment")
    return case_id


async def _corrected_in_temporal(watched: Watched) -> str:
    case_id = await watched.order(5, billing_address=HOME | {"street": ""})
    await watched.house.reaches(case_id, "needs_correction")
    handle = watched.house.workflow(case_id)
    # What does not fit is dropped and logged; it must not be quoted.
    await handle.signal("correct_order", {"id": "", "fields": {"billing.street": TYPED}})
    command = Command(id="typed", by="olga", fields={"billing.street": TYPED})
    await handle.execute_update("correct", command, result_type=Progress)
    await watched.house.reaches(case_id, "awaiting_payment")
    return case_id


async def test_no_personal_data_lies_in_clear(
    watched: Watched, capfd: pytest.CaptureFixture[str]
) -> None:
    """The proof: see the head of this module."""
    house = watched.house
    house.refuses.add(BUYER["email"])
    first = await _refused_extended_and_paid(watched)
    *others, typed = await asyncio.gather(
        _cancelled(watched),
        _rescued(watched),
        _corrected_by_the_api(watched),
        _corrected_in_temporal(watched),
    )
    refused = await watched.api.post("/api/orders?source=zahltag", json={"buyer": BUYER})
    assert refused.status_code == 422
    kinds = {kind for case in (first, *others) for kind in await house.mails(case)}
    assert kinds == {
        *("invoice", "due_date_changed", "payment_confirmation", "payment_rescue"),
        "cancellation",
    }

    for case_id in (first, *others):
        assert found_in(await watched.seen_of(case_id)) == set(), case_id
    in_typed = found_in(await watched.seen_of(typed))
    assert in_typed == (set() if watched.encrypted else {"wipertigasse", TYPED.lower()})

    printed = "".join(capfd.readouterr())
    log = watched.logged.getvalue() + printed
    assert "Completing activity as failed" in log
    assert "Failed deserializing signal input" in log
    assert found_in(log) == set()


OWING = {
    "name": BUYER["company"],
    "email": BUYER["email"],
    "street": HOME["street"],
    "postcode": HOME["postcode"],
    "city": HOME["city"],
    "vat_id": BUYER["vat_id"],
    "phone": BUYER["phone"],
}
GOSSIP = f"{BUYER['name']} pays in cash, {TYPED}, {BUYER['phone']}"


@dataclass
class Dunned:
    """Customers of that person's name, dunned one after the other; ``cases`` are theirs."""

    watched: Watched
    arrears: Arrears
    cases: list[str]

    async def owes(self, rule: str, **changes: Any) -> str:
        """Let one more customer be late and be taken by the rule; return its number."""
        who = f"D{uuid.uuid4().hex[:8]}"
        await self.arrears.owes(who, **OWING | changes)
        assert await self.arrears.run(rule) == [who]
        self.cases.append(f"dunning-{who}")
        return who

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Command something through the API."""
        answer = await self.watched.api.post(f"/api/{path}", **body)
        assert answer.is_success, answer.text
        self.watched.house.wake.set()
        found: dict[str, Any] = answer.json()
        return found

    async def called(self) -> None:
        """A call task, and what was said on the phone."""
        who = await self.owes(await self.arrears.rule(name="Anruf", action="call_task"))
        await self.arrears.rests(who, Status.DUNNING)
        (task,) = await self.watched.house.tasks(f"dunning-{who}")
        await self.post(f"tasks/{task.id}/done", json={"outcome": "reached", "note": GOSSIP})
        await self.post(f"customers/{who}/block", json={"reason": GOSSIP})
        await self.arrears.rests(who, Status.ON_HOLD)

    async def refused_and_bounced(self, rule: str) -> None:
        """A letter in place of a mail, at once or when the mail comes back."""
        house = self.watched.house
        house.refuses.add(BUYER["email"])
        await self.arrears.rests(await self.owes(rule), Status.DUNNING)
        house.refuses.clear()
        who = await self.owes(rule)
        await self.arrears.rests(who, Status.DUNNING)
        assert house.settings.mailbox_dir
        mails = list_mails(house.settings.mailbox_dir)
        (mail,) = [mail for mail in mails if mail.case_id == f"dunning-{who}"]
        returned = RETURNED.format(email=BUYER["email"], message_id=mail.message_id)
        told = await self.post("imports/bounces", content=returned.encode())
        assert told == {"outcome": "noted"}
        await self.arrears.sees(who, "sent", "approved")

    async def rejected_and_blocked(self, rule: str) -> None:
        """Reasons that name the person."""
        who = await self.owes(rule)
        await self.arrears.rests(who, Status.NEEDS_APPROVAL)
        (notice,) = await self.arrears.notices(who)
        await self.post(f"approvals/{notice.approval_id}/reject", json={"reason": GOSSIP})
        await self.arrears.rests(who, Status.DUNNING)
        who = await self.owes(rule)
        await self.arrears.rests(who, Status.NEEDS_APPROVAL)
        await self.post(f"customers/{who}/block", json={"reason": GOSSIP})
        await self.arrears.sees(who, "dropped")
        await self.arrears.rests(who, Status.ON_HOLD)

    async def asked_about_money(self, rule: str) -> None:
        """Money of that person's name; a run that is asked for by the API."""
        receipt = Receipt(
            provider="bank",
            transaction_id=str(uuid.uuid4()),
            amount=Decimal("50.00"),
            currency="EUR",
            valid_on=TODAY,
            source="webhook",
            reference=GOSSIP,
            payer_name=OWING["name"],
        )
        async with self.watched.house.database.transaction() as session:
            await payments.receive(session, receipt, now(), by="tests")
        who = f"D{uuid.uuid4().hex[:8]}"
        await self.arrears.owes(who, **OWING)
        run = await self.post(f"rules/{rule}/run")
        self.cases += [f"dunning-{who}", run["run"]]
        await self.arrears.rests(who, Status.ON_HOLD)
        (task,) = await self.watched.house.tasks(f"dunning-{who}")
        await self.post(f"tasks/{task.id}/done", json={"outcome": "not_theirs"})
        await self.arrears.sees(who, "sent")


RETURNED = """\
From: MAILER-DAEMON@mx.example.net
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {email}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <{email}>: unknown

--b
Content-Type: message/rfc822-headers

Message-ID: {message_id}

--b--
"""


async def test_no_personal_data_of_dunning_lies_in_clear(
    watched: Watched, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same for customers in arrears; what people type about them stays in the database."""
    arrears = Arrears(watched.house)
    dunned = Dunned(watched, arrears, [])
    await dunned.called()
    mailing = await arrears.rule(name="Erinnerung")
    await dunned.refused_and_bounced(mailing)
    asking = await arrears.rule(name="Mahnung", approval_required=True)
    await dunned.rejected_and_blocked(asking)
    await dunned.asked_about_money(mailing)

    assert len(dunned.cases) == 7
    for case_id in dunned.cases:
        assert found_in(await watched.seen_of(case_id)) == set(), case_id
    assert found_in(watched.logged.getvalue() + "".join(capfd.readouterr())) == set()
    async with watched.house.database.transaction() as session:
        kept = await session.execute(text("select string_agg(reason, '') from dunning_block"))
    assert kept.scalar_one() == GOSSIP * 2
