"""Orders come in once, whatever way and however often; what is wrong leaves no trace."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import Api, one_sentence, sample

CASE = "order-zahltag-ZT-1001"


async def test_a_submitted_order_becomes_a_case(api: Api, good_order: dict[str, Any]) -> None:
    """The case id is told, the outbox will start the workflow, and the same file again is known."""
    first, second = await api.submit(good_order), await api.submit(good_order)
    assert first.json() == {"case_id": CASE, "outcome": "new", "known": False}
    assert second.json() == {"case_id": CASE, "outcome": "known", "known": True}
    assert (await api.counts())["outbox"] == 1
    assert api.temporal.updates == []


async def test_another_content_under_the_number_is_refused(
    api: Api, good_order: dict[str, Any]
) -> None:
    """A person who submits it is told; nothing is changed."""
    await api.submit(good_order)
    before = await api.counts()
    good_order["total"] = good_order["lines"][0]["total"] = "120.00"
    answer = await api.submit(good_order)
    assert answer.status_code == 409
    assert "known with another content" in one_sentence(answer)
    assert await api.counts() == before


async def test_a_channel_may_be_named(api: Api, good_order: dict[str, Any]) -> None:
    """Two shops of one vendor do not collide; a channel of another source is refused."""
    content = json.dumps(good_order)
    for channel in ("zahltag", "second"):
        answer = await api.call(
            "POST", f"/api/orders?source=zahltag&channel={channel}", content=content
        )
        assert answer.json()["outcome"] == "new"
    wrong = await api.call("POST", "/api/orders?source=zahltag&channel=shopify", content=content)
    assert (wrong.status_code, "connection to shopify" in one_sentence(wrong)) == (409, True)
    odd = await api.call("POST", "/api/orders?source=zahltag&channel=A%2FB", content=content)
    assert (odd.status_code, "cannot name a channel" in one_sentence(odd)) == (422, True)


def _wrong_bodies() -> list[tuple[str, bytes, int, str]]:
    good = sample("zahltag-ok")
    negative = json.loads(json.dumps(good))
    negative["lines"][0]["quantity"] = "-1"
    odd_text = json.loads(json.dumps(good))
    odd_text["buyer"]["name"] = "a\u0000b"
    return [
        ("not JSON", b"{order", 400, "not JSON"),
        ("deep", b"[" * 100_000, 400, "not JSON"),
        ("nothing", b"", 400, "not JSON"),
        ("no object", b"[1]", 400, "no object"),
        ("wrong shape", b'{"hello": "world"}', 422, "cannot be read"),
        ("currency", json.dumps({**good, "currency": "XXX"}).encode(), 422, "currency"),
        ("quantity", json.dumps(negative).encode(), 422, "lines[0].quantity"),
        ("a zero byte", json.dumps(odd_text).encode(), 422, "buyer.name"),
        ("10 MB", b'{"a": "' + b"x" * 10_000_000 + b'"}', 413, "too large"),
    ]


@pytest.mark.parametrize("by", ["submit", "webhook"])
async def test_what_is_wrong_leaves_no_trace(api: Api, by: str) -> None:
    """One sentence, the right status, and no table has a row more, by either way in."""
    before = await api.counts()
    for name, body, status, words in _wrong_bodies():
        if by == "submit":
            answer = await api.call("POST", "/api/orders?source=zahltag", content=body)
        else:
            answer = await api.webhook("zahltag", body)
        assert answer.status_code == status, (name, answer.text)
        assert words in one_sentence(answer), name
    assert await api.counts() == before


async def test_a_large_body_without_its_length_is_stopped(api: Api) -> None:
    """A sender that streams without Content-Length is counted all the same."""

    async def endless() -> Any:
        for _ in range(100):
            yield b"x" * 100_000

    answer = await api.http.post("/webhooks/zahltag", content=endless())
    assert answer.status_code == 413
    assert "too large" in one_sentence(answer)


async def test_a_wrong_signature_leaves_no_trace(api: Api, good_order: dict[str, Any]) -> None:
    """Wrong, missing or too old: 401, one sentence, no row; so for every vendor."""
    before = await api.counts()
    body = json.dumps(good_order).encode()
    late = await api.webhook("zahltag", body, sent=datetime.now(UTC) - timedelta(minutes=10))
    signed = {"webhook-id": "1", "webhook-timestamp": str(int(datetime.now(UTC).timestamp()))}
    wrong = {**signed, "webhook-signature": "v1,AAAA"}
    answers = [late]
    for channel, headers in (
        ("zahltag", wrong),
        ("zahltag", {}),
        ("payments", wrong),
        ("shopify", {"X-Shopify-Hmac-Sha256": "AAAA"}),
        ("woocommerce", {"X-WC-Webhook-Signature": "AAAA"}),
        ("shopware", {"shopware-shop-signature": "00ff"}),
    ):
        if (await api.call("GET", f"/api/channels/{channel}/secret")).status_code == 404:
            continue
        answers.append(await api.http.post(f"/webhooks/{channel}", content=body, headers=headers))
    assert {answer.status_code for answer in answers} == {401}
    assert all(one_sentence(answer) for answer in answers)
    assert await api.counts() == before


async def test_an_unknown_channel_is_refused(api: Api) -> None:
    """404 and a sentence."""
    answer = await api.http.post("/webhooks/nobody", content=b"{}")
    assert (answer.status_code, one_sentence(answer)[:30]) == (
        404,
        "There is no channel nobody; `z",
    )


async def test_a_webhook_a_hundred_times_has_one_effect(
    api: Api, good_order: dict[str, Any]
) -> None:
    """One after the other and all at once: one order, one inbox row, one start."""
    answers = await asyncio.gather(
        *(api.webhook("zahltag", good_order, event="e1") for _ in range(50))
    )
    answers += [await api.webhook("zahltag", good_order, event="e1") for _ in range(50)]
    assert {answer.status_code for answer in answers} == {200}
    assert [answer.json()["outcome"] for answer in answers].count("new") == 1
    counts = await api.counts()
    assert [counts[t] for t in ("inbox", "sales_order", "case_file", "outbox")] == [1, 1, 1, 1]


async def test_other_events_about_one_order_at_once(api: Api, good_order: dict[str, Any]) -> None:
    """A wave of different events with the same order: one case, every event remembered."""
    answers = await asyncio.gather(
        *(api.webhook("zahltag", good_order, event=f"e{n}") for n in range(30))
    )
    assert {answer.status_code for answer in answers} == {200}
    counts = await api.counts()
    assert (counts["inbox"], counts["sales_order"], counts["outbox"]) == (30, 1, 1)


async def test_versions_out_of_order_have_one_effect(api: Api) -> None:
    """The newest version counts, in whatever order the versions arrive; money is booked once."""
    versions = []
    for minute, status in ((10, "open"), (20, "successful"), (15, "failed")):
        order = sample("zahltag-paid")
        order["modified_at"] = f"2026-11-16T12:{minute}:00+01:00"
        order["payment"]["status"] = status
        if status != "successful":
            order["payment"].pop("paid_amount", None)
        versions.append(order)
    said = [(await api.webhook("zahltag", order)).json()["outcome"] for order in versions]
    assert said == ["new", "payment", "stale"]
    again = [(await api.webhook("zahltag", order)).json()["outcome"] for order in versions]
    assert again == ["known"] * 3
    assert (await api.counts())["payment"] == 1


async def test_one_event_with_two_contents_is_a_conflict(
    api: Api, good_order: dict[str, Any]
) -> None:
    """The same event id with another body is refused, and the first stays."""
    await api.webhook("zahltag", good_order, event="e1")
    before = await api.counts()
    answer = await api.webhook("zahltag", {**good_order, "note": "other"}, event="e1")
    assert (answer.status_code, "another content" in one_sentence(answer)) == (409, True)
    assert await api.counts() == before


async def test_the_webhook_does_not_need_temporal(api: Api, good_order: dict[str, Any]) -> None:
    """Temporal may be away: the order is stored and will be started later."""
    api.temporal.away = True
    assert (await api.webhook("zahltag", good_order)).json()["outcome"] == "new"
