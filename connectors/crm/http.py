"""Calls to a CRM's API: one try each, bounded in time and size; its answers in our terms.

No retries here: whoever calls is a durable step and knows when to try again. Redirects are not
followed, so the token never goes to another host.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from connectors.crm.port import (
    LONGEST_PAUSE,
    CrmAwayError,
    CrmBusyError,
    CrmRefusedError,
    JsonObject,
)

TIMEOUT = httpx.Timeout(15.0, connect=5.0)
IN_ALL = 30.0  # a server that drips a byte now and then never runs into the others
MOST_BYTES = 5 * 1024 * 1024
_SHORTEST_PAUSE = timedelta(seconds=1)
_DEFAULT_PAUSE = timedelta(seconds=10)


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()  # loading the authorities costs more than a call


def make_client() -> httpx.AsyncClient:
    """Return a client that follows no redirects; whoever makes it closes it."""
    return httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, verify=_tls())


@dataclass(frozen=True, slots=True)
class CrmApi:
    """One account of one vendor. ``channel`` is named in what people read."""

    vendor: str
    channel: str
    base_url: str
    headers: Mapping[str, str]
    client: httpx.AsyncClient

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: JsonObject | None = None,
    ) -> JsonObject:
        """Make one call and return its JSON object; raises what ``CrmConnection`` says."""
        try:
            async with (
                asyncio.timeout(IN_ALL),
                self.client.stream(
                    method,
                    f"{self.base_url}{path}",
                    params=query,
                    json=body,
                    headers=dict(self.headers),
                ) as answer,
            ):
                content = await self._read(answer)
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            name = type(error).__name__
            raise CrmAwayError(f"{self.vendor} cannot be reached ({name}).") from error
        if answer.is_success:
            return self._json(content)
        raise self._failure(answer, content)

    async def _read(self, answer: httpx.Response) -> bytes:
        content = bytearray()
        async for part in answer.aiter_bytes():
            content += part
            if len(content) > MOST_BYTES:
                raise CrmRefusedError(
                    f"{self.vendor} answered with more than {MOST_BYTES // 1024 // 1024} MB;"
                    " that is no deal."
                )
        return bytes(content)

    def _json(self, content: bytes) -> JsonObject:
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise CrmAwayError(f"{self.vendor} answered something that is no JSON.") from error
        if not isinstance(found, dict):
            raise CrmAwayError(f"{self.vendor} answered JSON that is no object.")
        return found

    def _failure(self, answer: httpx.Response, content: bytes) -> Exception:
        status = answer.status_code
        if status == 429 or (status == 503 and "retry-after" in answer.headers):
            pause = pause_of(answer.headers)
            return CrmBusyError(
                f"{self.vendor} asks for a pause of {pause.total_seconds():.0f} s.", pause
            )
        is_json = "json" in answer.headers.get("content-type", "")
        if status == 403 and not is_json:
            # Pipedrive's gate answers so while it bans a caller that went on after many 429s.
            return CrmBusyError(f"{self.vendor} turned us away at its gate (403).", _DEFAULT_PAUSE)
        if status >= 500 or status in {408, 425}:
            return CrmAwayError(f"{self.vendor} has trouble of its own ({status}).")
        return CrmRefusedError(self._refusal(status, content), status=status)

    def _refusal(self, status: int, content: bytes) -> str:
        if status == 401:
            return (
                f"{self.vendor} does not accept the API token of the channel {self.channel} (401):"
                f" set a valid one with `zahltag channel set {self.channel} --token-file FILE`."
            )
        if status == 403:
            return (
                f"{self.vendor} does not let the token of the channel {self.channel} do this (403):"
                " give it the scopes that docs/operations.md lists."
            )
        if status == 404:
            return (
                f"{self.vendor} does not know the deal (404): it was deleted, or belongs to others."
            )
        if 300 <= status < 400:
            return (
                f"{self.vendor} sends us to another address ({status}), which is not followed:"
                f" set the right api_url of the channel {self.channel}."
            )
        return f"{self.vendor} refused the call ({status}): {_said(content)}."


def pause_of(headers: Mapping[str, str]) -> timedelta:
    """Return how long a 429 asks to wait, within reason (1 second to 1 hour).

    ``Retry-After`` in seconds or as a date; else Pipedrive's ``x-ratelimit-reset`` (seconds); else
    HubSpot's ``X-HubSpot-RateLimit-Interval-Milliseconds`` of its ten-secondly window.
    """
    after = headers.get("retry-after", "").strip()
    reset = headers.get("x-ratelimit-reset", "").strip()
    window = headers.get("x-hubspot-ratelimit-interval-milliseconds", "").strip()
    pause = _DEFAULT_PAUSE
    if _is_number(after):
        pause = timedelta(seconds=int(after))
    elif after:
        pause = _until(after)
    elif _is_number(reset):
        pause = timedelta(seconds=int(reset))
    elif _is_number(window):
        pause = timedelta(milliseconds=int(window))
    return min(max(pause, _SHORTEST_PAUSE), LONGEST_PAUSE)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def _until(text: str) -> timedelta:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return _DEFAULT_PAUSE
    return moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)


def _said(content: bytes) -> str:
    """Return the vendor's own reason, cut: HubSpot calls it ``message``, Pipedrive ``error``."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return "it gave no reason"
    reason = (found.get("message") or found.get("error")) if isinstance(found, dict) else None
    if not isinstance(reason, str) or not reason:
        return "it gave no reason"
    plain = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in reason))
    return plain[:200].rstrip(" .")
