"""What mail servers and mail services say about our mails, in the forms they really use."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook

from connectors.bounce_mail import read_bounce
from connectors.bounce_webhook import MAILGUN, OWN, POSTMARK, read_report, verify_report
from connectors.bounces import DIAGNOSTIC_LENGTH
from connectors.signatures import SignatureError
from domain.bounce import Bounce, BounceAction
from domain.errors import RefusedError

OURS = "<0f3a9c@muster-handel.example>"
NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

POSTFIX = f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: rechnung@muster-handel.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4Xb.1/mx.example.net"

This is a MIME-encapsulated message.

--4Xb.1/mx.example.net
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--4Xb.1/mx.example.net
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Sun, 22 Nov 2026 09:00:00 +0100 (CET)

Final-Recipient: rfc822; erika@example.org
Original-Recipient: rfc822;erika@example.org
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; 550 5.1.1 <erika@example.org>: Recipient address rejected:
    User unknown in virtual mailbox table

--4Xb.1/mx.example.net
Content-Description: Undelivered Message
Content-Type: message/rfc822

Received: from app (localhost [127.0.0.1])
From: Muster Handels GmbH <rechnung@muster-handel.example>
To: erika@example.org
Subject: Zahlungserinnerung
Message-ID: {OURS}
Content-Type: multipart/alternative; boundary="=_inner"

--=_inner
Content-Type: text/plain

Guten Tag, status 4.4.7 delayed

--=_inner--

--4Xb.1/mx.example.net--
"""

EXCHANGE = f"""\
From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@kunde.example>
To: rechnung@muster-handel.example
Subject: Unzustellbar: Zahlungserinnerung
Content-Type: multipart/report; report-type=delivery-status; boundary="_000_"
In-Reply-To: {OURS}
References: {OURS}

--_000_
Content-Type: multipart/alternative; differences=Content-Type; boundary="_001_"

--_001_
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: base64

{base64.b64encode(b"Ihre Nachricht konnte nicht zugestellt werden.").decode()}
--_001_--
--_000_
Content-Type: message/delivery-status

Reporting-MTA: dns;AM0PR.prod.outlook.com
Received-From-MTA: dns;DB9PR.prod.outlook.com

Final-Recipient: rfc822;einkauf@kunde.example
Action: failed
Status: 5.1.10
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient einkauf@kunde.example not found by SMTP address lookup
X-Display-Name: einkauf@kunde.example

--_000_
Content-Type: message/rfc822

From: rechnung@muster-handel.example
Subject: Zahlungserinnerung

ohne Kennung
--_000_--
"""

EXIM = f"""\
X-Failed-Recipients: erika@example.org
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@host.example>
To: rechnung@muster-handel.example
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  erika@example.org
    SMTP error from remote mail server after RCPT TO:<erika@example.org>:
    550 5.7.1 Relaying denied

------ This is a copy of the message, including all the headers. ------

Return-path: <rechnung@muster-handel.example>
From: rechnung@muster-handel.example
Message-Id: {OURS}

Mahnung 4.2.2
"""

QMAIL = f"""\
Return-Path: <>
From: MAILER-DAEMON@kunde.example
To: rechnung@muster-handel.example
Subject: failure notice

Hi. This is the qmail-send program at kunde.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<erika@kunde.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Received: (qmail 1 invoked from network)
Message-ID:
 {OURS}
"""

GERMAN = f"""\
From: Postmaster <postmaster@kunde.example>
Subject: =?utf-8?q?Zustellung_fehlgeschlagen?=
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

Ihre E-Mail konnte nicht zugestellt werden. Das Postfach ist unbekannt =E2=80=93 550=

> Message-ID: {OURS}
"""

VACATION = f"""\
Return-Path: <>
From: Erika <erika@example.org>
Auto-Submitted: auto-replied
In-Reply-To: {OURS}
Subject: Abwesend

Die Antwort wird sich verzögert. 550 Mails sind unzustellbar.
"""

RECEIPT = POSTFIX.replace("delivery-status", "disposition-notification").replace(
    "Action: failed", "Disposition: manual-action/MDN-sent-manually; displayed"
)


def bounce(mail: str) -> Bounce:
    """Read a mail that is a report."""
    found = read_bounce(mail.encode())
    assert found
    return found


@pytest.mark.parametrize(
    ("mail", "status", "words"),
    [
        (POSTFIX, "5.1.1", "550 5.1.1 <address>: Recipient address rejected: User unknown in"),
        (EXCHANGE, "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient <address> not"),
        (EXIM, "5.7.1", "550 5.7.1 Relaying denied"),
        (QMAIL, "5.1.1", "Sorry, no mailbox here by that name. (#5.1.1)"),
        (GERMAN, "5.0.0", "Das Postfach ist unbekannt"),
        (POSTFIX.replace("\n", "\r\n"), "5.1.1", "550 5.1.1"),
    ],
    ids=["postfix", "exchange", "exim", "qmail", "german text", "crlf"],
)
def test_the_reports_of_common_servers(mail: str, status: str, words: str) -> None:
    """Whose mail, that it failed, why; nobody's address."""
    found = bounce(mail)

    assert found.message_id == OURS
    assert found.action is BounceAction.FAILED
    assert found.is_final
    assert found.status == status
    assert words in found.diagnostic
    assert "@" not in found.diagnostic


@pytest.mark.parametrize(
    ("changes", "action", "status"),
    [
        ({"Action: failed": "Action: delayed", "5.1.1": "4.4.1"}, BounceAction.DELAYED, "4.4.1"),
        ({"Action: failed": "Action: delivered", "5.1.1": "2.0.0"}, BounceAction.DELIVERED, "2.0.0"),
        ({"Action: failed": "Action: relayed (to mx)"}, BounceAction.DELIVERED, "5.1.1"),
        ({"Action: failed\n": ""}, BounceAction.FAILED, "5.1.1"),
        ({"Status: 5.1.1\n": ""}, BounceAction.FAILED, "5.1.1"),
        ({"message/rfc822": "text/rfc822-headers"}, BounceAction.FAILED, "5.1.1"),
        ({"message/delivery-status": "message/global-delivery-status"}, BounceAction.FAILED, "5.1.1"),
        ({"Content-Type: message/delivery": "Content-Type:\n\tMessage/Delivery"}, BounceAction.FAILED, "5.1.1"),
        ({"--4Xb.1/mx.example.net--\n": ""}, BounceAction.FAILED, "5.1.1"),
    ],
    ids=["delayed", "delivered", "relayed", "no action", "no status", "headers only", "global", "folded", "cut off"],
)  # fmt: skip
def test_variants_of_the_standard(
    changes: dict[str, str], action: BounceAction, status: str
) -> None:
    """RFC 3464 and RFC 6533, and servers that leave things out."""
    mail = POSTFIX
    for old, new in changes.items():
        assert old in mail
        mail = mail.replace(old, new)

    found = bounce(mail)
    assert (found.message_id, found.action, found.status) == (OURS, action, status)


def test_a_status_in_base64_is_read() -> None:
    """The standard forbids it; some do it all the same."""
    body = (
        "Reporting-MTA: dns; x\n\nFinal-Recipient: rfc822; a@b.de\nAction: failed\nStatus: 5.2.2\n"
    )
    begin = POSTFIX.index("Content-Type: message/delivery-status")
    end = POSTFIX.index("--4Xb.1/mx.example.net\nContent-Description: Undelivered")
    encoded = base64.b64encode(body.encode()).decode()
    part = (
        f"Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n{encoded}\n"
    )

    assert bounce(POSTFIX[:begin] + part + POSTFIX[end:]).status == "5.2.2"


def test_of_several_recipients_the_worst_counts() -> None:
    """Their number is kept."""
    more = (
        "Final-Recipient: rfc822; b@example.org\nAction: delivered\nStatus: 2.0.0\n\n"
        "Final-Recipient: rfc822; c@example.org\nAction: delayed\nStatus: 4.2.2\n\n"
    )
    found = bounce(
        POSTFIX.replace("Final-Recipient: rfc822; erika", f"{more}Final-Recipient: x; e")
    )

    assert (found.action, found.status, found.recipients) == (BounceAction.FAILED, "5.1.1", 3)


def test_the_same_report_has_the_same_event() -> None:
    """And another one another."""
    assert bounce(POSTFIX).event_id == bounce(POSTFIX).event_id
    assert bounce(POSTFIX).event_id != bounce(EXIM).event_id


@pytest.mark.parametrize(
    "mail",
    [
        VACATION,
        RECEIPT,
        f"From: Erika <erika@example.org>\nIn-Reply-To: {OURS}\n\nUnzustellbar? Nein, bezahlt.\n",
        f"From: postmaster@kunde.example\nReferences: {OURS}\n\nHallo, eine Frage.\n",
        POSTFIX.replace(OURS, "").replace("Message-ID:", "X:"),
        "",
        "\x00\xff",
    ],
    ids=["vacation", "read receipt", "answer", "a postmaster's mail", "whose?", "empty", "rubbish"],
)
def test_what_is_no_report(mail: str) -> None:
    """Nobody gets a letter because the customer is on holiday."""
    assert read_bounce(mail.encode("latin-1", "replace")) is None


@pytest.mark.parametrize(
    "body",
    [
        b"\n" * 10_000_000,
        b"delivery failed" + b"-" * 10_000_000,
        b"delivery failed\nmessage-id: <" + b"<a@" * 3_000_000,
        b"".join(
            b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1)
            for n in range(5000)
        ),
        b"".join(
            b"--b%d\nContent-Type: multipart/mixed; boundary=b%d\n\n" % (n, n + 1)
            for n in range(20)
        )
        + b"--\n" * 100_000,
        b"--b0\nContent-Type: message/delivery-status\n\n" + b"Action: failed\n\n" * 100_000,
        b"--b0\nContent-Type: message/rfc822\n\n" * 10_000,
        b"--b0\nContent-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n=?",
        b"--b0\nContent-Type: text/plain; charset=x-none\n\n\xff\xfe",
    ],
)
def test_whoever_means_ill_costs_little(body: bytes) -> None:
    """Ten megabytes, thousands of parts, nothing that ends: about a second at the very most."""
    head = b"From: MAILER-DAEMON\nContent-Type: multipart/report; boundary=b0\n\n"
    begun = time.process_time()

    assert read_bounce(head + body) is None
    assert time.process_time() - begun < 10


def test_the_server_s_words_are_bounded() -> None:
    """Nobody fills the database by an error message."""
    long = bounce(POSTFIX.replace("User unknown in", "x" * 5000))

    assert len(long.diagnostic) <= DIAGNOSTIC_LENGTH


def test_no_control_characters_reach_the_database() -> None:
    """Neither NUL nor half a surrogate pair can be stored."""
    said = {"message": "a\x00b\ud800c\x1b[31m"}
    found = read_report(MAILGUN, mailgun(**{"delivery-status": said}))

    assert found
    assert found.diagnostic == "a b c [31m"
    surrogate = mailgun()
    surrogate["signature"]["token"] = "\ud800"
    with pytest.raises(SignatureError):
        check(MAILGUN, surrogate, "key-of-mailgun")


OWN_SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
OWN_EVENT = {
    "event_id": "e-1",
    "message_id": OURS,
    "event": "bounced",
    "status": "5.1.1",
    "reason": "550 <erika@example.org> unknown",
}
MAILGUN_DATA: dict[str, Any] = {
    "event": "failed",
    "id": "G9Bn5sl1TC6nu79C8C0bwg",
    "timestamp": 1795338000.375,
    "severity": "permanent",
    "reason": "bounce",
    "recipient": "erika@example.org",
    "message": {"headers": {"message-id": OURS.strip("<>"), "to": "erika@example.org"}},
    "delivery-status": {
        "attempt-no": 1,
        "code": 550,
        "message": "5.1.1 The account erika@example.org does not exist",
        "description": None,
        "enhanced-code": "5.1.1",
        "bounce-type": "hard",
    },
    "user-variables": [],
}
POSTMARK_BOUNCE: dict[str, Any] = {
    "RecordType": "Bounce",
    "ID": 4323372036854775807,
    "Type": "HardBounce",
    "TypeCode": 1,
    "Name": "Hard bounce",
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
    "ServerID": 23,
    "MessageStream": "outbound",
    "Description": "The server was unable to deliver your message.",
    "Details": "smtp;550 5.1.1 <erika@example.org> unknown",
    "Email": "erika@example.org",
    "BouncedAt": "2026-11-22T09:00:00Z",
    "DumpAvailable": True,
    "Inactive": True,
    "CanActivate": True,
    "Subject": "Zahlungserinnerung",
    "Metadata": {"message-id": OURS.strip("<>")},
}


def mailgun(**changes: Any) -> dict[str, Any]:
    """Return a report of Mailgun, signed with its key."""
    stamp, token = str(int(NOW.timestamp())), "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
    signed = hmac.new(b"key-of-mailgun", f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {
        "signature": {"timestamp": stamp, "token": token, "signature": signed},
        "event-data": MAILGUN_DATA | changes,
    }


@pytest.mark.parametrize(
    ("source", "document", "event_id"),
    [
        (OWN, OWN_EVENT, "e-1"),
        (MAILGUN, mailgun(), "G9Bn5sl1TC6nu79C8C0bwg"),
        (POSTMARK, POSTMARK_BOUNCE, "Bounce-4323372036854775807"),
    ],
)
def test_a_bounce_is_the_same_whoever_tells(
    source: str, document: dict[str, Any], event_id: str
) -> None:
    """One value for three forms."""
    found = read_report(source, document)

    assert found
    assert (found.event_id, found.message_id) == (event_id, OURS)
    assert (found.action, found.status) == (BounceAction.FAILED, "5.1.1")
    assert "@" not in found.diagnostic


@pytest.mark.parametrize(
    ("source", "document", "action"),
    [
        (OWN, OWN_EVENT | {"event": "delivered"}, BounceAction.DELIVERED),
        (OWN, OWN_EVENT | {"event": "complained"}, BounceAction.COMPLAINED),
        (MAILGUN, mailgun(severity="temporary"), BounceAction.DELAYED),
        (MAILGUN, mailgun(event="delivered"), BounceAction.DELIVERED),
        (MAILGUN, mailgun(event="complained"), BounceAction.COMPLAINED),
        (MAILGUN, mailgun(event="opened"), None),
        (POSTMARK, POSTMARK_BOUNCE | {"Type": "SoftBounce"}, BounceAction.DELAYED),
        (POSTMARK, POSTMARK_BOUNCE | {"Type": "AutoResponder"}, None),
        (POSTMARK, POSTMARK_BOUNCE | {"RecordType": "SpamComplaint"}, BounceAction.COMPLAINED),
        (POSTMARK, POSTMARK_BOUNCE | {"RecordType": "Open"}, None),
        (POSTMARK, POSTMARK_BOUNCE | {"Metadata": {}}, None),
        (POSTMARK, POSTMARK_BOUNCE | {"Metadata": {}, "Content": POSTFIX}, BounceAction.FAILED),
        (
            POSTMARK,
            {"RecordType": "Delivery", "MessageID": "8-9", "Metadata": {"message-id": OURS}},
            BounceAction.DELIVERED,
        ),
    ],
)
def test_the_other_events(
    source: str, document: dict[str, Any], action: BounceAction | None
) -> None:
    """What is nobody's business here is none."""
    found = read_report(source, document)

    assert (found.action if found else None) is action


@pytest.mark.parametrize(
    ("source", "document"),
    [
        (OWN, {}),
        (OWN, OWN_EVENT | {"event": "burnt"}),
        (OWN, OWN_EVENT | {"more": 1}),
        (OWN, OWN_EVENT | {"reason": "a\x00"}),
        (OWN, OWN_EVENT | {"message_id": "none"}),
        (MAILGUN, {"event-data": []}),
        (MAILGUN, {"event-data": {"event": 1.5}}),
        (MAILGUN, mailgun(message={"headers": {}})),
        (POSTMARK, {}),
        (POSTMARK, {"RecordType": ["Bounce"]}),
    ],
)
def test_what_has_another_form_is_refused(source: str, document: dict[str, Any]) -> None:
    """With the field, so that its sender can mend it."""
    with pytest.raises(RefusedError) as refused:
        read_report(source, document)

    assert refused.value.problems


def check(source: str, document: dict[str, Any], secret: str, **more: Any) -> None:
    """Verify as the API does."""
    body = json.dumps(document).encode()
    verify_report(source, more.get("headers", {}), body, document, secret, more.get("now", NOW))


def test_our_own_form_is_signed_as_every_webhook() -> None:
    """Standard Webhooks; a wrong secret and no signature at all are refused."""
    body = json.dumps(OWN_EVENT).encode()
    headers = {
        "webhook-id": "e-1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": Webhook(OWN_SECRET).sign("e-1", NOW, body.decode()),
    }

    check(OWN, OWN_EVENT, OWN_SECRET, headers=headers)
    for bad in ({}, headers | {"webhook-signature": "v1,AAAA"}):
        with pytest.raises(SignatureError):
            check(OWN, OWN_EVENT, OWN_SECRET, headers=bad)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=8)])
def test_mailgun_signs_in_the_body(late: timedelta) -> None:
    """Its repetitions bear the first signature."""
    check(MAILGUN, mailgun(), "key-of-mailgun", now=NOW + late)


@pytest.mark.parametrize(
    ("change", "secret", "now"),
    [
        ({}, "another key", NOW),
        ({}, "", NOW),
        ({}, "key-of-mailgun", NOW + timedelta(days=2)),
        ({}, "key-of-mailgun", NOW - timedelta(hours=1)),
        ({"token": "other"}, "key-of-mailgun", NOW),
        ({"signature": "ä" * 64}, "key-of-mailgun", NOW),
    ],
)
def test_what_mailgun_did_not_sign_is_refused(
    change: dict[str, str], secret: str, now: datetime
) -> None:
    """Wrong key, none, too old, from the future, another token, no signature at all."""
    document = mailgun()
    document["signature"] |= change
    with pytest.raises(SignatureError):
        check(MAILGUN, document, secret, now=now)
    with pytest.raises(RefusedError):
        check(MAILGUN, {"event-data": MAILGUN_DATA}, "key-of-mailgun")


def test_postmark_shows_a_password() -> None:
    """It signs nothing; the password stands in the address of the webhook."""

    def basic(text: bytes) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(text).decode()}

    check(POSTMARK, POSTMARK_BOUNCE, "a:b secret", headers=basic(b"zahltag:a:b secret"))
    for headers in ({}, basic(b"zahltag:wrong"), basic(b"nothing"), {"Authorization": "Basic =ä"}):
        with pytest.raises(SignatureError):
            check(POSTMARK, POSTMARK_BOUNCE, "a:b secret", headers=headers)
    with pytest.raises(SignatureError):
        check(POSTMARK, POSTMARK_BOUNCE, "", headers=basic(b"zahltag:"))
