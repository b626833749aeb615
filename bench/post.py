"""Signed webhooks over a few kept connections: a client so small that the server is measured."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field

from standardwebhooks.webhooks import Webhook

from bench.orders import document, now

CONNECTIONS = 16


@dataclass
class Sender:
    """Posts orders, each a new one, to the webhook of a channel."""

    port: int
    path: str
    secret: str
    name: str
    sent: itertools.count[int] = field(default_factory=itertools.count)

    async def rate(self, seconds: float) -> float:
        """Post for some seconds; return how many were accepted per second."""
        began = time.perf_counter()
        until = began + seconds
        counts = await asyncio.gather(*(self._post(until) for _ in range(CONNECTIONS)))
        return sum(counts) / (time.perf_counter() - began)

    async def _post(self, until: float) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        accepted = 0
        try:
            while time.perf_counter() < until:
                writer.write(self._request())
                await _expect_200(reader)
                accepted += 1
        finally:
            writer.close()
        return accepted

    def _request(self) -> bytes:
        number = f"{self.name}-{next(self.sent)}"
        body, at = document(number), now()
        signature = Webhook(self.secret).sign(number, at, body.decode())
        head = (
            f"POST {self.path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nwebhook-id: {number}\r\n"
            f"webhook-timestamp: {int(at.timestamp())}\r\nwebhook-signature: {signature}\r\n\r\n"
        )
        return head.encode() + body


async def _expect_200(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
    body = await reader.readexactly(length)
    if " 200 " not in lines[0]:
        raise RuntimeError(f"{lines[0]}: {body.decode()[:300]}")
