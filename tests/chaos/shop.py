"""Shops of every source and the people of a company, all of whom repeat what was not answered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks.webhooks import Webhook

from models.settings import Settings
from tests.crash.shop import AGAIN_AFTER, Buying, Json, Shop

LONGEST_PAUSE = 4.0
HOOKS = {"zahltag": "hooks", "woocommerce": "woo-hooks"}


@dataclass
class Order(Buying):
    """One order, how it comes in, how its case should end, and with which mails.

    ``mails`` is ``None`` where that depends on the moment of a cancellation.
    """

    kind: str = ""
    source: str = "zahltag"
    by_webhook: bool = False
    ends: str = "closed"
    mails: dict[str, int] | None = field(default_factory=dict)
    paid: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """What its people see."""
        return str(self.seen.get("status", "not seen"))

    @property
    def done(self) -> bool:
        """Whether it has come to where it should end."""
        return self.status == self.ends


class ChaosShop(Shop):
    """Shops and an office; ``acknowledged`` is everything that was answered with 2xx."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, "chaos")
        self.orders: list[Order] = []
        self.acknowledged: list[tuple[str, str, Json]] = []
        self.mended = 0
        self._http.timeout = httpx.Timeout(30)
        self._secrets: dict[str, str] = {}

    async def connect(self) -> None:
        """Make the channels of those shops that send webhooks."""
        for source, channel in HOOKS.items():
            body = {"source": source}
            answer = await self._http.put(f"/api/channels/{channel}", content=json.dumps(body))
            self._secrets[source] = answer.json()["secret"]

    def channel_of(self, order: Order) -> str:
        """Return the channel an order comes by."""
        return HOOKS[order.source] if order.by_webhook else f"{self.channel}-{order.source}"

    async def send(self, order: Order, times: int = 1, **changes: Any) -> None:
        """Send the order (with changes) until it is acknowledged; so often over."""
        document = order.document | changes
        for _ in range(times):
            if order.by_webhook:
                answer = await self._until_known(lambda: self._hook(order, document))
            else:
                answer = await self._command(
                    "/api/orders", document, source=order.source, channel=self.channel_of(order)
                )
            order.case_id = answer["case_id"]
            self.acknowledged.append(("order", self.channel_of(order), order.number, document))

    async def transfer_sum(self, order: Order, amount: str, reference: str, times: int = 1) -> None:
        """Record money for the order's invoice; so often over."""
        body = {"invoice_no": order.invoice_no, "currency": "EUR", "amount": amount}
        body["reference"] = f"{order.number}-{reference}"
        for _ in range(times):
            await self._command("/api/payments", body)
            self.acknowledged.append(("payment", body["reference"], amount))
        order.paid[body["reference"]] = amount

    async def decide(self, order: Order, verb: str, body: Json, *, user: str = "admin") -> None:
        """Give a command about a case, until it is acknowledged."""
        await self._command(f"/api/cases/{order.case_id}/{verb}", body, user=user)
        self.acknowledged.append(("decision", order.case_id, verb))

    async def decide_approval(self, order: Order, verb: str, body: Json) -> None:
        """Approve or reject what the case asks for, as soon as it asks."""
        found = None
        while found is None:
            waiting = await self._until_known(lambda: self._http.get("/api/approvals"))
            found = next((a["id"] for a in waiting if a["case_id"] == order.case_id), None)
            await asyncio.sleep(0.2)
        await self._command(f"/api/approvals/{found}/{verb}", body)

    async def reaches(self, order: Order, *statuses: str) -> None:
        """Wait until the case has one of these statuses; ``watch`` has to run."""
        while order.status not in statuses:  # noqa: ASYNC110 - it is seen by asking
            await asyncio.sleep(0.1)

    async def look(self) -> None:
        """See all cases once, if somebody answers."""
        try:
            answer = await self._http.get("/api/cases")
        except httpx.HTTPError:
            return
        if answer.status_code == 200:
            found = {case["id"]: case for case in answer.json()}
            for order in self.orders:
                order.seen = found.get(order.case_id, order.seen)

    async def mend(self) -> None:
        """Be the operator: repeat what failed for good, as its task asks."""
        while True:
            for order in self.orders:
                if order.status == "needs_retry":
                    path = f"/api/cases/{order.case_id}/retry"
                    await self._until_known(lambda path=path: self._post(path, {}), refused=True)
                    self.mended += 1
            await asyncio.sleep(1)

    async def _command(self, path: str, body: Json, user: str = "admin", **query: str) -> Any:
        return await self._until_known(lambda: self._post(path, body, user, query))

    def _post(
        self, path: str, body: Json, user: str = "admin", query: dict[str, str] | None = None
    ) -> Any:
        headers = {"X-Zahltag-User": user}
        return self._http.post(path, content=json.dumps(body), params=query or {}, headers=headers)

    def _hook(self, order: Order, document: Json) -> Any:
        body, secret = json.dumps(document), self._secrets[order.source]
        event = hashlib.sha256(body.encode()).hexdigest()
        if order.source == "zahltag":
            now = datetime.now(UTC)
            headers = {"webhook-id": event, "webhook-timestamp": str(int(now.timestamp()))}
            headers["webhook-signature"] = Webhook(secret).sign(event, now, body)
        else:
            digest = hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()
            headers = {"X-WC-Webhook-Signature": base64.b64encode(digest).decode()}
            headers |= {"X-WC-Webhook-Topic": "order.created", "X-WC-Webhook-Delivery-ID": event}
        path = f"/webhooks/{HOOKS[order.source]}"
        return self._http.post(path, content=body, headers=headers)

    async def _until_known(self, ask: Callable[[], Any], *, refused: bool = False) -> Any:
        """Ask until there is an answer; a refusal fails, unless one may be refused.

        The pauses grow, as those of shops do: who repeats at once keeps a slow server from
        recovering.
        """
        pause = AGAIN_AFTER
        while True:
            try:
                answer = await ask()
                if answer.is_success:
                    return answer.json()
                if answer.status_code < 500:
                    assert refused, f"{answer.request.url} {answer.status_code}: {answer.text}"
                    return None
            except httpx.TransportError:
                pass
            self.retries += 1
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
