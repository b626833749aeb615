"""What a mail service posts about our mails is believed only when proved, and counts once."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlmodel import select

from models.tables import OutgoingMail

from .conftest import Api

CASE = "order-zahltag-ZT-1001"


@pytest.fixture
async def message_id(api: Api, good_order: dict[str, Any]) -> str:
    """The Message-ID of an invoice mail that went out."""
    await api.submit(good_order)
    await api.work(CASE)
    async with api.database.transaction() as session:
        mail = (await session.exec(select(OutgoingMail))).one()
    return mail.message_id


def report(message_id: str, **changes: str) -> dict[str, str]:
    """Return a report in our own form."""
    return {
        "event_id": "e-1",
        "message_id": message_id,
        "event": "bounced",
        "reason": "550 5.1.1 <erika@example.org> unknown",
    } | changes


async def noted(api: Api) -> list[str]:
    """Return what the history of the case says of its mails' ways."""
    timeline = (await api.get(f"/api/cases/{CASE}"))["timeline"]
    words = ("mail_failed", "mail_delivered", "mail_complained")
    return [line["text"] for line in timeline if line["event"] in words]


async def test_a_bounce_is_noted_once_where_its_mail_is(api: Api, message_id: str) -> None:
    """The same report again changes nothing; nobody's address stands in the history."""
    first = await api.webhook("mail", report(message_id))
    again = await api.webhook("mail", report(message_id))

    assert (first.status_code, first.json()["outcome"]) == (200, "noted")
    assert again.json()["outcome"] == "known"
    assert await noted(api) == ["the mail came back (5.1.1)"]
    assert "erika@" not in str(await api.get(f"/api/cases/{CASE}"))


async def test_a_mail_that_is_not_ours_is_no_fault(api: Api, message_id: str) -> None:
    """Other programs send by the same account; what is unknown is answered all the same."""
    found = await api.webhook("mail", report("<other@example.org>"))

    assert (found.status_code, found.json()["outcome"]) == (200, "unknown")
    assert await noted(api) == []
    assert message_id


@pytest.mark.parametrize("body", [{}, {"event": "bounced"}, report("none")])
async def test_what_is_no_report_is_refused(api: Api, body: dict[str, str]) -> None:
    """With the field that is wrong; nothing is stored."""
    before = await api.counts()
    found = await api.webhook("mail", body)

    assert found.status_code == 422
    assert await api.counts() == before


async def test_an_unsigned_report_is_refused(api: Api, message_id: str) -> None:
    """401, and nothing is stored."""
    before = await api.counts()
    found = await api.http.post(
        "/webhooks/mail", json=report(message_id), headers={"authorization": ""}
    )

    assert found.status_code == 401
    assert await api.counts() == before


async def test_postmark_comes_in_by_its_own_channel(api: Api, message_id: str) -> None:
    """With the password in its address; our own form is refused there."""
    await api.call(
        "PUT", "/api/channels/pm", json={"source": "postmark", "secret": "a long password"}
    )
    password = base64.b64encode(b"zahltag:a long password").decode()
    document = {
        "RecordType": "SpamComplaint",
        "ID": 42,
        "Metadata": {"message-id": message_id.strip("<>")},
    }

    async def post(content: dict[str, Any], given: str) -> int:
        headers = {"authorization": f"Basic {given}"}
        answer = await api.http.post("/webhooks/pm", json=content, headers=headers)
        return int(answer.status_code)

    assert await post(document, "wrong") == 401
    assert await post(report(message_id), password) == 422
    assert await post(document, password) == 200
    assert await noted(api) == ["the recipient reported the mail as spam"]
