"""Reports about mails by webhook and by file: signed, taken once, and harmless where they lie."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from connectors.bounce_webhook import MAILGUN, POSTMARK

from .conftest import Api, Cli, one_sentence

OURS = "<0f3a9c@muster-handel.example>"
MAIL = """
insert into outgoing_mail (key, case_id, kind, recipient, subject, message_id, state, attempts,
    intended_at, handing_over_at, settled_at, outcome)
values ('k', 'order-zahltag-ZT-1001', 'invoice', 'x@y.example', 'Rechnung', :message_id, 'sent', 1,
    now(), now(), now(), 'accepted')
"""
RETURNED = f"""\
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; erika@example.org
Action: failed
Status: 5.1.1

--b
Content-Type: message/rfc822-headers

Message-ID: {OURS}

--b--
"""


def report(**changes: Any) -> dict[str, Any]:
    """Return a report in our own form."""
    return {"event_id": "e-1", "message_id": OURS, "event": "bounced", "status": "5.1.1", **changes}


@pytest.fixture
def mail(api: Api) -> Any:
    """A function that lets a mail of ours have gone out, and one that counts what is noted."""

    async def sent() -> None:
        async with api.database.transaction() as session:
            await session.execute(text(MAIL), {"message_id": OURS})

    return sent


async def noted(api: Api) -> list[tuple[str, ...]]:
    """Return what is noted about mails."""
    async with api.database.transaction() as session:
        rows = await session.execute(text("select action, status from mail_bounce order by id"))
        return [tuple(row) for row in rows]


async def test_a_report_is_taken_once(api: Api, mail: Any) -> None:
    """Whoever sends it again, signed anew or worded anew, hears that it is known."""
    await mail()
    first = await api.webhook("mail", report())
    assert (first.status_code, first.json()) == (200, {"case_id": "", "outcome": "noted"})
    before = await api.counts()
    for again in (report(), report(reason="550 5.1.1 Nobody")):
        answer = await api.webhook("mail", again)
        assert (answer.status_code, answer.json()) == (200, {"case_id": "", "outcome": "known"})
    assert await api.counts() == before
    assert await noted(api) == [("failed", "5.1.1")]

    for event, said in (("delayed", "noted"), ("complained", "noted"), ("delivered", "noted")):
        answer = await api.webhook("mail", report(event_id=event, event=event))
        assert answer.json() == {"case_id": "", "outcome": said}
    assert [action for action, _ in await noted(api)] == ["failed", "delayed", "complained"]


async def test_reports_about_other_mails_are_ignored(api: Api) -> None:
    """The mail server is used by others too: they are thanked, and nothing is noted."""
    answer = await api.webhook("mail", report(message_id="<other@example.com>"))
    assert (answer.status_code, answer.json()) == (200, {"case_id": "", "outcome": "unknown"})
    assert await noted(api) == []


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"[" * 5000, 400),
        ({}, 422),
        (report(event="opened"), 422),
        (report(event_id=""), 422),
        (report(event_id="x" * 300), 422),
        (report(event_id="a\u0000b"), 422),
        (report(message_id="a\u0000b@c.example"), 422),
        (report(message_id="<\ud800@c.example>"), 422),
        (report(message_id=["a@b"]), 422),
        (report(more="than we know"), 422),
        (report(reason="x" * 3000), 422),
    ],
)
async def test_what_is_no_report_is_refused(
    api: Api, mail: Any, document: Any, status: int
) -> None:
    """In one sentence, and nothing is stored."""
    await mail()
    before = await api.counts()
    answer = await api.webhook("mail", document)
    assert answer.status_code == status, answer.text
    assert one_sentence(answer)
    assert await api.counts() == before


async def test_nobody_else_may_report(api: Api, mail: Any) -> None:
    """Unsigned, with another channel's secret, and with the API's token instead."""
    await mail()
    before = await api.counts()
    body = json.dumps(report()).encode()
    unsigned = await api.http.post("/webhooks/mail", content=body)
    assert unsigned.status_code == 401
    for source in (MAILGUN, POSTMARK):
        name, secret = f"of-{source}", {"secret": "a-secret-of-theirs"}
        made = await api.call("PUT", f"/api/channels/{name}", json={"source": source, **secret})
        assert made.status_code == 200, made.text
        answer = await api.http.post(f"/webhooks/{name}", content=body)
        assert answer.status_code in {401, 422}
        assert one_sentence(answer)
    after = await api.counts()
    assert {**after, "channel": 0} == {**before, "channel": 0}


async def test_postmark_reports_to_a_channel_of_its_own(api: Api, mail: Any) -> None:
    """Its password is checked, and its words are read."""
    await mail()
    body = {"source": POSTMARK, "secret": "a-secret-of-theirs"}
    await api.call("PUT", "/api/channels/postmark", json=body)
    password = base64.b64encode(b"zahltag:a-secret-of-theirs").decode()
    bounce = {
        "RecordType": "Bounce",
        "Type": "HardBounce",
        "ID": 4711,
        "Metadata": {"message-id": OURS},
        "Details": "550 5.1.1 unknown",
    }
    answer = await api.http.post(
        "/webhooks/postmark", json=bounce, headers={"authorization": f"Basic {password}"}
    )
    assert (answer.status_code, answer.json()) == (200, {"case_id": "", "outcome": "noted"})
    assert await noted(api) == [("failed", "5.1.1")]


async def test_mails_that_came_back_are_imported(
    api: Api, mail: Any, zahltag: Cli, tmp_path: Path
) -> None:
    """A file or a whole folder; the same again changes nothing."""
    await mail()
    folder = tmp_path / "maildir"
    (folder / "new").mkdir(parents=True)
    (folder / "new" / "1.eml").write_text(RETURNED)
    (folder / "new" / "2.eml").write_text("Subject: Hallo\n\nWie geht es Ihnen?\n")
    (folder / "new" / "3.eml").write_text(RETURNED.replace("0f3a9c", "other"))
    (folder / "new" / "4.eml").write_bytes(b"\x00\xff" * 400_000)

    done = await zahltag("import", "bounces", folder, "--as", "anna")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "1 new: their cases look for another way; 1 about mails that are not ours;"
        " 2 no reports of a mail server.\n"
    )
    again = await zahltag("import", "bounces", folder / "new" / "1.eml", "--json")
    assert again.json == {"noted": 0, "known": 1, "unknown": 0, "no_report": 0}
    assert await noted(api) == [("failed", "5.1.1")]

    (await zahltag("import", "bounces", folder, "--as", "viktor")).refused("needs the role finance")
    (await zahltag("import", "bounces", tmp_path / "none.eml")).refused("There is no file")
    empty = await zahltag("import", "bounces", folder / "cur")
    empty.refused("There is no file")
