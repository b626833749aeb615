"""Company, channels and mails: what an administrator sets and sees."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from connectors.mailbox import mail_id
from models.settings import Settings
from starter.api.app import make_app

from .conftest import Api, one_sentence


async def test_a_company_is_set_once(api: Api) -> None:
    """What is shown can be set again and is known then; a change is not."""
    shown = await api.get("/api/company")
    again = await api.call("PUT", "/api/company", json=shown)
    assert (again.status_code, again.json()["known"]) == (200, True)
    changed = await api.call("PUT", "/api/company", json={**shown, "phone": "+49 30 1"})
    assert changed.json()["known"] is False
    assert (await api.get("/api/company"))["phone"] == "+49 30 1"


async def test_every_wrong_field_of_a_company_is_named(api: Api) -> None:
    """All at once, in plain words, misspelt names among them; nothing is changed."""
    shown = await api.get("/api/company")
    wrong = {
        **shown,
        "time_zone": "Berlin",
        "iban": "DE00",
        "users": {"anna": "boss"},
        "adress": {},
        "language": "fr",
        "vat_id": "",
        "tax_number": "",
    }
    answer = await api.call("PUT", "/api/company", json=wrong)
    assert answer.status_code == 422
    assert one_sentence(answer).startswith("The company was not set: ")
    fields = {problem["field"] for problem in answer.json()["problems"]}
    assert fields == {"adress", "time_zone", "iban", "language", "vat_id", "users.anna"}
    for broken in ({}, {**shown, "address": {"postcode": 10115}}, {**shown, "name": 7}):
        assert (await api.call("PUT", "/api/company", json=broken)).status_code == 422
    assert await api.get("/api/company") == shown


async def test_first_channels_are_named_like_their_sources(api: Api) -> None:
    """Secrets are stored encrypted and shown to the administrator only on request."""
    listed = await api.get("/api/channels", user="viktor")
    assert {"zahltag", "payments"} <= {channel["id"] for channel in listed}
    assert all(channel["address"].endswith(f"/webhooks/{channel['id']}") for channel in listed)
    secret = (await api.get("/api/channels/payments/secret"))["secret"]
    assert secret.startswith("whsec_")
    assert secret not in str(listed)
    async with api.database.transaction() as session:
        stored = (
            await session.execute(text("select string_agg(secret, ' ') from channel"))
        ).scalar()
    assert secret not in str(stored)


async def test_a_channel_is_set_and_removed(api: Api) -> None:
    """A secret that is made here is shown once; the same again is known; a new secret is taken."""
    path = "/api/channels/shop2"
    made = (await api.call("PUT", path, json={"source": "zahltag"})).json()
    assert made["secret"].startswith("whsec_")
    again = (await api.call("PUT", path, json={"source": "zahltag"})).json()
    assert (again["known"], again["secret"]) == (True, None)
    own = "whsec_" + base64.b64encode(b"sixteen bytes or more").decode()
    given = (await api.call("PUT", path, json={"source": "zahltag", "secret": own})).json()
    assert (given["known"], given["secret"]) == (False, None)
    assert (await api.get(f"{path}/secret"))["secret"] == own
    other = await api.call("PUT", path, json={"source": "payments"})
    assert (other.status_code, "remove it first" in one_sentence(other)) == (409, True)
    assert (await api.call("DELETE", path)).status_code == 200
    assert (await api.call("DELETE", path)).status_code == 404


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("Shop", {"source": "zahltag"}),
        ("shop", {"source": "nothing"}),
        ("shop", {"source": "zahltag", "secret": "short"}),
        ("shop", {"source": "zahltag", "secret": "whsec_%%%"}),
        ("shop", {}),
    ],
)
async def test_a_wrong_channel_is_refused(api: Api, name: str, body: dict[str, Any]) -> None:
    """One sentence, no row; a secret is not repeated in it."""
    before = await api.counts()
    answer = await api.call("PUT", f"/api/channels/{name}", json=body)
    assert answer.status_code == 422
    assert str(body.get("secret", "%")) not in one_sentence(answer)
    assert await api.counts() == before


async def test_the_mailbox_is_shown(api: Api) -> None:
    """With the keys of the contract; without an embedded mailbox a sentence says so."""
    folder = api.settings.mailbox_dir
    assert folder is not None
    number = mail_id(1_790_000_000_000_000, "<1@x>")
    (folder / f"{number}.eml").write_bytes(
        b"X-Envelope-To: a@x.example\r\nSubject: Hallo\r\nX-Zahltag-Kind: invoice\r\n"
        b"X-Zahltag-Case: order-zahltag-1\r\nMessage-ID: <1@x>\r\n\r\nGuten Tag\r\n"
    )
    (mail,) = await api.get("/api/mails")
    assert " ".join(mail) == "id to subject date kind case_id message_id attachments"
    shown = await api.get(f"/api/mails/{number}")
    assert (shown["text"], shown["kind"]) == ("Guten Tag\n", "invoice")


async def test_without_a_mailbox(app: FastAPI, api: Api, settings: Settings) -> None:
    """A real mail server keeps no copy for us."""
    app.state.services = make_app(
        settings.model_copy(update={"mailbox_dir": None}), api.database
    ).state.services
    answer = await api.call("GET", "/api/mails")
    assert (answer.status_code, "no embedded mailbox" in one_sentence(answer)) == (404, True)


async def test_without_a_company_nothing_is_taken_in(api: Api, good_order: dict[str, Any]) -> None:
    """A shop is told to try again; a person is told what to do."""
    async with api.database.transaction() as session:
        await session.execute(text("delete from company"))
    answer = await api.webhook("zahltag", good_order)
    assert (answer.status_code, "No company is set" in one_sentence(answer)) == (503, True)
    answer = await api.submit(good_order)
    assert (answer.status_code, "company set FILE" in one_sentence(answer)) == (422, True)
