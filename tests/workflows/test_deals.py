"""Won deals from webhook to money and back into the CRM, on real Temporal and PostgreSQL."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest_asyncio
from temporalio.client import WorkflowExecutionStatus

from connectors.crm.settings import read_settings
from models.store import channels, fetches
from models.tables import OrderFetch
from models.vault import Vault
from starter.api.app import make_app
from tests.crm_server import TOKEN, Crm
from tests.workflows.house import House, eventually, now
from tests.workflows.opening import CACHED_OR_NOT

DEAL = "9605180927"
SECRET = "client-secret-of-the-app"
FIELD = "zahltag_invoice_status"


@pytest_asyncio.fixture
async def connected(house: House, crm: Crm) -> Crm:
    """The house's channel is a connection to the CRM of the test."""
    settings = {"vendor": "hubspot", "api_url": crm.url}
    await configure(house, settings=settings, token=TOKEN)
    return crm


async def configure(house: House, *, token: str, settings: dict[str, Any] | None = None) -> None:
    """Set the channel of the house, or another token."""
    vault = Vault(house.settings)
    async with house.database.transaction() as session:
        await channels.add_if_absent(session, house.channel, "crm", vault.seal(SECRET), now())
        row = await channels.get(session, house.channel)
        row.api_token = vault.seal(token)
        if settings:
            row.settings = read_settings(settings).dump()


async def webhook(house: House, deal: str = DEAL, event: int = 1) -> str:
    """Let HubSpot say that a deal's stage changed; return what we answer."""
    body = json.dumps(
        [
            {
                "eventId": event,
                "subscriptionId": 25,
                "portalId": 62515,
                "occurredAt": 1795183391123,
                "subscriptionType": "deal.propertyChange",
                "attemptNumber": 0,
                "objectId": int(deal),
                "propertyName": "dealstage",
                "propertyValue": "closedwon",
            }
        ]
    ).encode()
    stamp = str(int(datetime.now(UTC).timestamp() * 1000))
    address = f"{house.settings.api_base_url}/webhooks/{house.channel}"
    signed = b"POST" + address.encode() + body + stamp.encode()
    signature = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest())
    headers = {
        "X-HubSpot-Signature-v3": signature.decode(),
        "X-HubSpot-Request-Timestamp": stamp,
    }
    transport = httpx.ASGITransport(make_app(house.settings, house.database))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        answer = await http.post(f"/webhooks/{house.channel}", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    house.wake.set()
    return str(answer.json()["outcome"])


async def fetched(house: House, *, state: str = "done") -> OrderFetch:
    """Wait until the last fetch has ended like this."""

    async def ended() -> OrderFetch | None:
        async with house.database.transaction() as session:
            found = await fetches.unfinished(session, now())
            last = await fetches.latest(session, house.channel)
        return last if not found else None

    row = await eventually(ended, 30)
    assert row.state == state, row.outcome
    return row


async def told(crm: Crm, *states: str, deal: str = DEAL) -> None:
    """Wait until the CRM was told exactly these states, in this order."""

    async def said() -> bool | None:
        return [one[FIELD] for one in crm.said(deal)] == [*states] or None

    try:
        await eventually(said, 30)
    except TimeoutError:
        raise AssertionError(f"told {crm.said(deal)}, not {states}") from None


@CACHED_OR_NOT
async def test_from_the_webhook_to_the_money_and_back(house: House, connected: Crm) -> None:
    """Webhook, fetch, case, invoice, deal says invoiced, payment, deal says paid; each once."""
    connected.load("crm-ok")
    assert [await webhook(house), await webhook(house)] == ["fetching", "known"]
    case_id = (await fetched(house)).case_id or ""
    waiting = await house.reaches(case_id, "awaiting_payment")
    await told(connected, "invoiced")
    assert connected.said(DEAL)[0] == {
        "zahltag_invoice_no": waiting.invoice_no,
        "zahltag_invoice_status": "invoiced",
        "zahltag_due_date": f"{waiting.due_date}",
        "zahltag_paid_on": "",
    }

    await house.pay(case_id, "2796.50")
    assert await house.ends(case_id) == "closed"

    await told(connected, "invoiced", "paid")
    assert connected.said(DEAL)[1]["zahltag_paid_on"] == f"{now().date()}"
    events = [entry.event for entry in await house.history(case_id)]
    assert events.count("deal_updated") == 2
    assert await house.mails(case_id) == ["invoice", "payment_confirmation"]


async def test_the_history_of_a_fetch_holds_no_personal_data(house: House, connected: Crm) -> None:
    """Ids and an outcome, nothing of the deal; and operators find it by its kind."""
    connected.load("crm-ok")
    await webhook(house)
    row = await fetched(house)
    handle = house.client.get_workflow_handle(fetches.workflow_id(row))
    history = (await handle.fetch_history()).to_json()

    assert await handle.result() == "done"
    for secret in ("Weber", "weber", "Bremen", "Regalanlage", TOKEN):
        assert base64.b64encode(secret.encode()).decode()[:8] not in history
        assert secret not in history


async def test_a_token_that_is_wrong_stops_no_money(house: House, connected: Crm) -> None:
    """401: an exception and a task; invoice, payment and closing go on; a retry tells the rest."""
    connected.load("crm-ok")
    await webhook(house)
    case_id = (await fetched(house)).case_id or ""
    connected.token = "a-new-token-in-hubspot"
    await house.reaches(case_id, "awaiting_payment")

    async def reported() -> Any:
        return next((p for p in await house.problems(case_id) if p.field == "update_deal"), None)

    problem = await eventually(reported)
    assert "does not accept the API token" in problem.found
    await house.pay(case_id, "2796.50")
    assert await house.ends(case_id) == "closed"
    assert connected.updates == []

    await configure(house, token=connected.token)
    await house.decide(case_id, "retry")
    await told(connected, "paid")
    assert await house.problems(case_id) == []
    assert {task.status for task in await house.tasks(case_id)} == {"done"}


async def test_an_outage_of_the_crm_is_waited_out_beside_the_case(
    house: House, connected: Crm
) -> None:
    """A pause is asked for: the case waits for its money meanwhile, then the CRM is told."""
    connected.load("crm-ok")
    await webhook(house)
    case_id = (await fetched(house)).case_id or ""
    connected.faults.append((429, {"retry-after": "1"}, {}))
    await house.reaches(case_id, "awaiting_payment")
    await told(connected, "invoiced")
    notes = [e.text for e in await house.history(case_id) if e.event == "deal_postponed"]
    assert notes == ["The CRM is told later: HubSpot asks for a pause of 1 s."]

    await house.decide(case_id, "cancel", reason="the customer withdrew")
    assert await house.ends(case_id) == "cancelled"
    await told(connected, "invoiced", "cancelled")


async def test_a_deal_that_cannot_be_fetched_is_left_to_a_person(
    house: House, connected: Crm
) -> None:
    """404: an exception and a task; a CRM that is only away is asked again by itself."""
    await webhook(house)
    row = await fetched(house, state="failed")
    name = fetches.workflow_id(row)
    assert [p.kind for p in await house.problems(name)] == ["fetch_failed"]
    assert [t.status for t in await house.tasks(name)] == ["open"]

    connected.load("crm-ok", dealstage="contractsent", hs_is_closed_won="false")
    connected.faults.append((502, {}, b"<html>"))
    await webhook(house, event=2)
    await fetched(house, state="ignored")
    assert await house.problems(name) == []
    assert [t.status for t in await house.tasks(name)] == ["done"]


async def test_a_cancelled_fetch_is_left_to_a_person(house: House, connected: Crm) -> None:
    """An operator who cancels it in the Web UI leaves a task behind, not silence."""
    connected.load("crm-ok")
    connected.faults.extend([(502, {}, b"")] * 50)
    await webhook(house)

    async def asked() -> bool | None:
        return bool(connected.asked) or None

    await eventually(asked)
    async with house.database.transaction() as session:
        [row] = await fetches.unfinished(session, now())
    await house.client.get_workflow_handle(fetches.workflow_id(row)).cancel()
    ended = await fetched(house, state="failed")
    assert "cancelled in Temporal" in ended.outcome


async def test_a_fetch_that_lost_its_workflow_is_started_again(
    house: House, connected: Crm
) -> None:
    """Temporal's database is gone: the row says what is still to be fetched."""
    connected.load("crm-ok")
    connected.faults.extend([(502, {}, b"")] * 50)
    await webhook(house)

    async def asked() -> bool | None:
        return bool(connected.asked) or None

    await eventually(asked)
    async with house.database.transaction() as session:
        [row] = await fetches.unfinished(session, now())
    handle = house.client.get_workflow_handle(fetches.workflow_id(row))
    await handle.terminate("lost")
    connected.faults.clear()

    async def gone() -> bool | None:
        return (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED or None

    await eventually(gone)

    async def again() -> OrderFetch | None:
        house.dispatcher.clock = lambda: now() + timedelta(minutes=1)
        await house.dispatcher.sweep()
        async with house.database.transaction() as session:
            found = await fetches.latest(session, house.channel)
        return found if found and found.done_at else None

    assert (await eventually(again, 30)).state == "done"
