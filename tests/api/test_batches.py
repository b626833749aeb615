"""Webhooks that arrive together are stored together; nobody can tell it from the rows."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from standardwebhooks.webhooks import Webhook

from connectors.shops import SHOPS
from domain.company import Company
from models.store.database import Database
from starter import connections
from starter.intake import read_webhook
from starter.intake_desk import Desk
from tests import invariants

from .conftest import Api, one_sentence, sample


@dataclass(frozen=True)
class Delivery:
    """One webhook: its event and its body."""

    event: str
    body: bytes


class Sender:
    """Posts to one channel, its secret read once."""

    def __init__(self, api: Api, channel: str, secret: str) -> None:
        self.api, self.channel, self.webhook = api, channel, Webhook(secret)

    async def send(self, delivery: Delivery) -> httpx.Response:
        """Sign and post."""
        at = datetime.now(UTC)
        headers = {
            "webhook-id": delivery.event,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self.webhook.sign(delivery.event, at, delivery.body.decode()),
        }
        return await self.api.http.post(
            f"/webhooks/{self.channel}", content=delivery.body, headers=headers
        )

    async def send_all(self, deliveries: list[Delivery]) -> list[httpx.Response]:
        """Post all at once."""
        return await asyncio.gather(*(self.send(one) for one in deliveries))


async def sender(api: Api, channel: str) -> Sender:
    """Make the channel where it is missing; return who sends to it."""
    await api.call("PUT", f"/api/channels/{channel}", json={"source": "zahltag"})
    return Sender(api, channel, await api.secret(channel))


def order(number: int, channel: str, **changes: Any) -> dict[str, Any]:
    """Return an order; every third is paid already, by a transaction of its own."""
    paid = number % 3 == 0
    document = sample("zahltag-paid" if paid else "zahltag-ok")
    document["order_no"] = f"W-{number}"
    document["buyer"]["email"] = f"w{number}@example.org"
    if paid:
        document["payment"] |= {"provider": f"pay-{channel}", "transaction_id": f"T-{number}"}
    return document | changes


def delivery(event: str, document: dict[str, Any]) -> Delivery:
    """Write a document as it is sent."""
    return Delivery(event, json.dumps(document).encode())


def first_wave(channel: str) -> list[Delivery]:
    """Return new orders, some twice, some under a second event, some that cannot be read."""
    found = [delivery(f"new-{n}", order(n, channel)) for n in range(30)]
    found += [delivery(f"new-{n}", order(n, channel)) for n in range(0, 30, 2)]
    found += [delivery(f"again-{n}", order(n, channel)) for n in range(0, 30, 5)]
    found += [delivery(f"bad-{n}", order(n, channel, currency="XXX")) for n in range(100, 110)]
    return found


def second_wave(channel: str) -> list[Delivery]:
    """Return later words about known orders, among orders that are new."""
    later = "2026-11-20T12:00:00+01:00"
    found = [delivery(f"new-{n}", order(n, channel)) for n in range(40, 60)]
    for n in range(1, 30, 3):
        changed = order(n, channel, modified_at=later, deal_reference="other")
        found.append(delivery(f"changed-{n}", changed))
    for n in range(2, 30, 3):
        told = order(n, channel, modified_at=later)
        told["payment"] = order(0, channel)["payment"] | {"transaction_id": f"T-{n}"}
        found.append(delivery(f"paid-{n}", told))
    early = "2026-01-01T00:00:00Z"
    found += [delivery(f"old-{n}", order(n, channel, modified_at=early)) for n in range(0, 30, 6)]
    found += [delivery(f"new-{n}", order(n, channel, note="other")) for n in range(0, 30, 4)]
    return found


async def rows(api: Api, channel: str) -> dict[str, list[str]]:
    """Return all rows of a channel's orders without ids, digests and clock times, as text."""
    found = {}
    async with api.database.transaction() as session:
        for table, where in {
            "inbox": "channel = :channel",
            "sales_order": "channel = :channel",
            "case_file": "channel = :channel",
            "payment": "case_id like :cases",
            "journal_entry": "case_id like :cases",
            "history": "case_id like :cases",
            "outbox": "case_id like :cases",
            "task": "case_id like :cases",
        }.items():
            query = text(f"select to_jsonb(t) as line from {table} t where {where}")  # noqa: S608
            names = {"channel": channel, "cases": f"order-{channel}-%"}
            lines = (await session.execute(query, names)).scalars()
            told = (json.dumps(_bare(line), sort_keys=True) for line in lines)
            found[table] = sorted(line.replace(channel, "CHANNEL") for line in told)
        query = text(
            "select e.case_id, p.account, p.amount from posting p join journal_entry e"
            " on e.id = p.entry_id where e.case_id like :cases order by 1, 2"
        )
        lines = (await session.execute(query, {"cases": f"order-{channel}-%"})).all()
        found["posting"] = [
            f"{case.removeprefix(f'order-{channel}-')}: {account} {amount}"
            for case, account, amount in lines
        ]
    return found


_OWN = {"id", "order_id", "at", "body", "sha256", "fingerprint", "key", "due", "payload"}


def _bare(line: dict[str, Any]) -> dict[str, Any]:
    keep = {name: value for name, value in line.items() if name not in _OWN}
    if "id" in line and isinstance(line["id"], str):
        keep["id"] = line["id"]
    if "detail" in line:
        keep["detail"] = sorted(line["detail"])
    keep["text"] = str(line.get("text", "")).split(":")[0]
    return {name: value for name, value in keep.items() if not name.endswith("_at")}


async def test_a_wave_leaves_the_rows_of_one_after_the_other(api: Api) -> None:
    """New, doubled, changed, paid, stale, refused: what is stored and answered is the same."""
    wave, line = await sender(api, "shop-1"), await sender(api, "shop-2")
    dice = random.Random(7)  # noqa: S311 - an order of arrival
    for make in (first_wave, second_wave):
        deliveries = make("shop-1")
        dice.shuffle(deliveries)
        together = await wave.send_all(deliveries)
        alone = [await line.send(one) for one in make("shop-2")]
        said = [
            Counter((answer.status_code, answer.json().get("outcome")) for answer in answers)
            for answers in (together, alone)
        ]
        assert said[0] == said[1]
        assert await rows(api, "shop-1") == await rows(api, "shop-2")
    assert {status for status, _ in said[0]} == {200, 409}
    await invariants.check(api.database)


async def test_a_refused_order_does_not_hurt_its_neighbours(api: Api) -> None:
    """Two orders claim one movement of money with different sums: one is refused, no other."""
    wave = await sender(api, "wave")
    documents = [order(n, "wave") for n in range(20)]
    documents[6]["payment"]["transaction_id"] = documents[3]["payment"]["transaction_id"]
    answers = await wave.send_all([delivery(f"e{n}", d) for n, d in enumerate(documents)])
    refused = [n for n, answer in enumerate(answers) if answer.status_code != 200]
    assert (len(refused), refused[0] in {3, 6}) == (1, True)
    assert answers[refused[0]].status_code == 409
    assert "Nothing was changed" in one_sentence(answers[refused[0]])
    counts = await api.counts()
    assert (counts["inbox"], counts["sales_order"], counts["case_file"]) == (19, 19, 19)
    assert counts["payment"] == 6
    await invariants.check(api.database)


async def test_nothing_is_half_stored_when_connections_die(api: Api) -> None:
    """What is answered with 200 is there, whole; what is not can be sent again."""
    wave = await sender(api, "wave")
    deliveries = [delivery(f"e{n}", order(n, "wave")) for n in range(60)]
    sending = asyncio.gather(*(wave.send(one) for one in deliveries))
    kill = text(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    other = Database.connect(api.settings)
    while not sending.done():
        async with other.transaction() as session:
            await session.execute(kill)
        await asyncio.sleep(0.03)
    await other.close()
    answers = await sending
    assert {answer.status_code for answer in answers} <= {200, 503}
    accepted = {answer.json()["case_id"] for answer in answers if answer.status_code == 200}
    async with api.database.transaction() as session:
        stored = set((await session.execute(text("select case_id from sales_order"))).scalars())
        whole = set((await session.execute(_WHOLE)).scalars())
    assert accepted <= stored
    assert stored == whole
    assert {answer.status_code for answer in await wave.send_all(deliveries)} == {200}
    assert (await api.counts())["sales_order"] == len(deliveries)
    await invariants.check(api.database)


_WHOLE = text("""
select o.case_id from sales_order o join case_file f on f.order_id = o.id
where exists (select from inbox i where i.event_id = 'e' || substr(o.order_no, 3))
  and exists (select from outbox t where t.case_id = o.case_id and t.signal = 'start')
  and (select count(*) from history h where h.case_id = o.case_id)
    = 1 + (select count(*) from payment p where p.case_id = o.case_id)
  and (f.payment_status <> 'successful'
       or exists (select from payment p where p.case_id = o.case_id))
""")


async def test_a_wave_shares_its_commits(database: Database, company: Company) -> None:
    """A hundred orders at once take two transactions or a few; each is answered as new.

    Never a single one: while a half commits, the senders of the other write their next.
    """
    desk = Desk(database)

    async def take(number: int) -> str:
        body = json.dumps(order(number, "zahltag")).encode()
        headers = {"webhook-id": f"e{number}"}
        found = read_webhook(
            SHOPS["zahltag"],
            json.loads(body),
            body,
            channel="zahltag",
            headers=headers,
            at=datetime.now(UTC),
        )
        assert found
        return (await desk.take(*found, company)).outcome

    assert set(await asyncio.gather(*(take(n) for n in range(100)))) == {"new"}
    async with database.transaction() as session:
        commits = await session.execute(text("select count(distinct xmin\\:\\:text) from inbox"))
        assert 2 <= commits.scalar_one() <= 4


async def test_a_changed_secret_counts_at_once(api: Api, good_order: dict[str, Any]) -> None:
    """What is signed with the old secret is refused by the very next call, and so after a removal."""
    old = await sender(api, "shop")
    body = json.dumps(good_order).encode()
    assert (await old.send(Delivery("e1", body))).status_code == 200
    fresh = "whsec_" + "QUJD" * 11
    await api.call("PUT", "/api/channels/shop", json={"source": "zahltag", "secret": fresh})
    assert (await old.send(Delivery("e2", body))).status_code == 401
    assert (await Sender(api, "shop", fresh).send(Delivery("e2", body))).status_code == 200
    await api.call("DELETE", "/api/channels/shop")
    assert (await old.send(Delivery("e3", body))).status_code == 404


async def test_a_secret_changed_elsewhere_counts_soon(
    api: Api, good_order: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process of the API changed it: what is kept here runs out."""
    monkeypatch.setattr(connections, "SECONDS", 0.05)
    old = await sender(api, "shop")
    body = json.dumps(good_order).encode()
    assert (await old.send(Delivery("e1", body))).status_code == 200
    async with api.database.transaction() as session:
        other = "update channel set secret = (select secret from channel where name = 'zahltag')"
        await session.execute(text(f"{other} where name = 'shop'"))
    async with asyncio.timeout(60):
        while (await old.send(Delivery("e1", body))).status_code == 200:  # noqa: ASYNC110 - time does it
            await asyncio.sleep(0.01)
    assert (await old.send(Delivery("e1", body))).status_code == 401
