"""A shop and its buyers, who know nothing of crashes: they repeat what was not acknowledged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from models.settings import Settings

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "orders"
MAILS = {
    "zahltag-ok": {"invoice": 1, "payment_confirmation": 1},
    "zahltag-paid": {"invoice": 1},
    "zahltag-payment-failed": {"payment_rescue": 1, "invoice": 1},
}
# Of ten orders six are paid by invoice, two were paid before, two had a failed payment.
MIX = [*["zahltag-ok"] * 3, "zahltag-paid", "zahltag-payment-failed"] * 2
AGAIN_AFTER = 0.3
MISHAPS = {"needs_correction", "needs_approval", "needs_retry", "rejected", "cancelled"}

Json = dict[str, Any]


@dataclass
class Buying:
    """One order and what its buyer has seen of it."""

    sample: str
    number: str
    document: Json = field(repr=False)
    parts: int = 1
    case_id: str = ""
    seen: Json = field(default_factory=dict, repr=False)

    @property
    def invoice_no(self) -> str:
        """The invoice, once there is one."""
        return self.seen.get("invoice_no") or ""

    @property
    def waits_for_money(self) -> bool:
        """Whether the case rests until money comes."""
        status, wants_help = self.seen.get("status"), bool(self.seen.get("needs_attention"))
        return status == "awaiting_payment" or (status == "payment_failed" and wants_help)

    @property
    def closed(self) -> bool:
        """Whether the case has ended well."""
        return bool(self.seen.get("status") == "closed")


class Shop:
    """A channel of the product, used through its HTTP API."""

    def __init__(self, settings: Settings, channel: str) -> None:
        self.channel = channel
        self.buyings: list[Buying] = []
        self.retries = 0
        token = settings.api_token.get_secret_value()
        self._http = httpx.AsyncClient(
            base_url=settings.api_base_url,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=10,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def open(self, count: int) -> list[Buying]:
        """Write orders of all kinds; five customers share them, hours apart."""
        for place in range(count):
            sample = MIX[place % len(MIX)]
            number = f"{self.channel.upper()}-{place + 1:03}"
            document = _document(sample, self.channel, number, place)
            buying = Buying(sample, number, document, parts=1 + place % 2)
            self.buyings.append(buying)
        return self.buyings

    async def order(self, buying: Buying) -> None:
        """Submit the order until it is acknowledged."""
        answer = await self._insist("/api/orders", buying.document, source="zahltag")
        buying.case_id = answer["case_id"]

    async def pay(self, buying: Buying) -> None:
        """Let the money come in, told twice: by bank, or by the shop where the first try failed."""
        if buying.sample == "zahltag-payment-failed":
            await self.until(lambda b: b.waits_for_money, buying)
            paid = {"status": "successful", "transaction_id": f"tx-{buying.number}-2"}
            later = {"modified_at": "2026-11-18T09:00:00+01:00"}
            document = buying.document | {"payment": buying.document["payment"] | paid} | later
            for _ in range(2):
                await self._insist("/api/orders", document, source="zahltag")
        elif buying.sample == "zahltag-ok":
            await self.until(lambda b: b.invoice_no, buying)
            for part in range(buying.parts):
                await self.transfer(buying, part)

    async def transfer(self, buying: Buying, part: int) -> None:
        """Record one of the transfers that pay the invoice, twice."""
        receipt = {"invoice_no": buying.invoice_no, "currency": "EUR"}
        receipt |= {"reference": f"bank-{buying.number}-{part}"}
        receipt |= {"amount": str(Decimal(buying.document["total"]) / buying.parts)}
        for _ in range(2):
            await self._insist("/api/payments", receipt)

    async def until(self, reached: Callable[[Buying], object], *buyings: Buying) -> None:
        """Wait until each of them looks like that to its buyer; ``watch`` has to run."""
        for buying in buyings:
            while not reached(buying):
                status, why = buying.seen.get("status"), buying.seen.get("why")
                assert status not in MISHAPS, f"{buying.case_id}: {status}, {why}"
                await asyncio.sleep(0.1)

    async def buy(self, buying: Buying, after: float) -> None:
        """Order after so many seconds, pay and wait for the end."""
        await asyncio.sleep(after)
        await self.order(buying)
        await self.pay(buying)
        await self.until(lambda b: b.closed, buying)

    async def has_invoices(self, count: int) -> None:
        """Wait until so many orders have their invoice."""
        while sum(bool(buying.invoice_no) for buying in self.buyings) < count:  # noqa: ASYNC110 - they are seen by asking
            await asyncio.sleep(0.1)

    async def watch(self) -> None:
        """Look at all cases again and again; not at all while nobody answers."""
        while True:
            await self.look()
            await asyncio.sleep(0.4)

    async def look(self) -> None:
        """Look at all cases once, if somebody answers."""
        try:
            answer = await self._http.get("/api/cases")
        except httpx.HTTPError:
            return
        if answer.status_code == 200:
            found = {case["id"]: case for case in answer.json()}
            for buying in self.buyings:
                buying.seen = found.get(buying.case_id, buying.seen)

    async def _insist(self, path: str, content: Json, **query: str) -> Json:
        """Send the same until it is acknowledged, as shops do. A refusal is never repeated."""
        query |= {"channel": self.channel} if query else {}
        body = json.dumps(content)
        while True:
            try:
                answer = await self._http.post(path, params=query, content=body)
                if answer.is_success:
                    said: Json = answer.json()
                    return said
                assert answer.status_code >= 500, f"{path} {answer.status_code}: {answer.text}"
            except httpx.TransportError:
                pass
            self.retries += 1
            await asyncio.sleep(AGAIN_AFTER)


def _document(sample: str, channel: str, number: str, place: int) -> Json:
    document: Json = json.loads((SAMPLES / f"{sample}.json").read_text(encoding="utf-8"))
    first = datetime.fromisoformat("2026-11-16T08:00:00+01:00")
    buyer = document["buyer"] | {
        "customer_id": f"{sample}-{place % 5}",
        "email": f"{sample}-{place % 5}@{channel}.example",
    }
    buyer.pop("vat_id", None)
    return document | {
        "order_no": number,
        "external_id": number,
        "placed_at": (first + timedelta(hours=place)).isoformat(),
        "buyer": buyer,
        "payment": document["payment"] | {"transaction_id": f"tx-{number}"}
        if "transaction_id" in document["payment"]
        else document["payment"],
    }
