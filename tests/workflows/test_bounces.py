"""A notice was mailed, and a mail server reports that it did not arrive: letter or task, once."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from standardwebhooks.webhooks import Webhook
from temporalio.client import Client

from connectors.mailbox import list_mails
from domain.dunning.case import Status
from models.store import channels
from models.vault import Vault
from starter.api.app import make_app
from starter.first_start import prepare
from tests.workflows.arrears import Arrears
from tests.workflows.house import House, eventually, now


@pytest.fixture
def arrears(house: House) -> Arrears:
    """Customers in arrears in a house."""
    return Arrears(house)


@pytest_asyncio.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """The API of the house."""

    async def connected() -> Client:
        return house.client

    await prepare(house.database, house.settings, now())
    app = make_app(house.settings, house.database, connected)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://test", timeout=30
    ) as client:
        yield client


async def bounces(house: House, api: httpx.AsyncClient, case_id: str) -> list[str]:
    """Let a mail service report twice that the case's mail bounced; return what it was told."""
    assert house.settings.mailbox_dir
    (mail,) = [m for m in list_mails(house.settings.mailbox_dir) if m.case_id == case_id]
    report = {"message_id": mail.message_id, "event": "bounced", "status": "5.1.1"}
    body = json.dumps({"event_id": str(uuid.uuid4()), **report})
    async with house.database.transaction() as session:
        secret = Vault(house.settings).open((await channels.get(session, "mail")).secret)
    sent, outcomes = datetime.now(UTC), []
    for event in ("first", "second"):
        headers = {
            "webhook-id": event,
            "webhook-timestamp": str(int(sent.timestamp())),
            "webhook-signature": Webhook(secret).sign(event, sent, body),
        }
        answer = await api.post("/webhooks/mail", content=body, headers=headers)
        outcomes.append(answer.json()["outcome"])
        house.wake.set()
    return outcomes


@pytest.mark.parametrize("approval", [False, True], ids=["without approval", "with approval"])
async def test_a_letter_goes_out_instead(
    arrears: Arrears,
    api: httpx.AsyncClient,
    approval: bool,  # noqa: FBT001
) -> None:
    """It is a notice of its own that does not count again; who approves mails approves it too."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(approval_required=approval))
    if approval:
        await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)
        await arrears.decides(arrears.who, "approve")
    await arrears.sees(arrears.who, "sent")
    file = await arrears.rests(arrears.who, Status.DUNNING)
    assert await arrears.ladder(arrears.who) == (1, 1)

    assert await bounces(arrears.house, api, file.id) == ["noted", "known"]

    if approval:
        await arrears.sees(arrears.who, "sent", "proposed")
        await arrears.rests(arrears.who, Status.NEEDS_APPROVAL)
        assert arrears.letters() == []
        await arrears.decides(arrears.who, "approve")
    _, letter = await arrears.sees(arrears.who, "sent", "approved")
    assert (letter.channel, letter.raises_level, letter.level) == ("letter", False, 1)
    assert await arrears.ladder(arrears.who) == (1, 1)


async def test_a_rule_that_mails_asks_a_person(arrears: Arrears, api: httpx.AsyncClient) -> None:
    """It knows no letters: one task, whatever the service repeats."""
    await arrears.owes(arrears.who)
    await arrears.run(await arrears.rule(action="email"))
    await arrears.sees(arrears.who, "sent")
    file = await arrears.rests(arrears.who, Status.DUNNING)

    assert await bounces(arrears.house, api, file.id) == ["noted", "known"]

    async def asked() -> Any:
        return await arrears.house.tasks(file.id) or None

    (task,) = await eventually(asked)
    assert task.kind == "notice_bounced"
    await arrears.rests(arrears.who, Status.DUNNING)
    assert len(await arrears.house.tasks(file.id)) == 1
    assert len(await arrears.notices(arrears.who)) == 1
