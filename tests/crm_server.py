"""A local server that answers like HubSpot (CRM v3) and Pipedrive (API v2) as their docs say.

Only what a caller may rely on: authentication, properties on request, associations in pages, batch
reads in any order, rate limits, and errors in the vendors' own shapes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from connectors.crm.settings import read_settings
from models.settings import Settings
from models.store import channels
from models.store.database import Database
from models.vault import Vault

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "orders"
TOKEN = "pat-eu1-0f3a-token-of-the-tests"
ALWAYS = {"createdate", "hs_lastmodifieddate", "lastmodifieddate", "hs_object_id"}
WRITABLE = {
    "zahltag_invoice_no",
    "zahltag_invoice_status",
    "zahltag_due_date",
    "zahltag_paid_on",
}
Json = dict[str, Any]
Answer = tuple[int, dict[str, str], Any]


@dataclass
class Crm:
    """What the CRM holds, how it behaves, and what it was asked."""

    url: str = ""
    objects: dict[str, dict[str, Json]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    updates: list[tuple[str, Json]] = field(default_factory=list)
    faults: deque[Answer | float] = field(default_factory=deque)
    limit: int = 0
    page: int = 100
    token: str = TOKEN
    clock: Callable[[], float] = time.monotonic
    _calls: deque[float] = field(default_factory=deque)

    def load(self, sample: str, **changes: Any) -> Json:
        """Put a gathered deal into the CRM, the parts where they belong; return the document."""
        document: Json = json.loads((SAMPLES / f"{sample}.json").read_text())
        deal_id = str(changes.pop("id", document["deal"]["id"]))
        document["deal"]["id"] = deal_id if document["vendor"] == "hubspot" else int(deal_id)
        if document["vendor"] == "hubspot":
            document["deal"]["properties"].update(changes)
            self._keep("deals", [document["deal"]])
            for part in ("line_items", "companies", "contacts", "tax_rates"):
                self._keep(part, document[part])
        else:
            document["deal"].update(changes)
            self._keep("p/deals", [document["deal"]])
            self._keep("p/products", document["product_details"])
            self._keep("p/organizations", [document["organization"]])
            self._keep("p/persons", [document["person"]])
            self.objects[f"p/deals/{deal_id}/products"] = dict(enumerate(document["products"]))  # type: ignore[arg-type]
            self.objects[f"p/deals/{deal_id}/discounts"] = dict(enumerate(document["discounts"]))  # type: ignore[arg-type]
        return document

    def _keep(self, kind: str, things: list[Json]) -> None:
        self.objects.setdefault(kind, {}).update({str(one["id"]): one for one in things})

    def said(self, deal_id: str) -> list[Json]:
        """Return what a deal was told, in order."""
        return [fields for deal, fields in self.updates if deal == deal_id]

    async def __call__(self, scope: Json, receive: Any, send: Any) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        headers = {k.decode().lower(): v.decode() for k, v in scope["headers"]}
        query = {k: v[0] for k, v in parse_qs(scope["query_string"].decode()).items()}
        status, extra, answer = await self._answer(scope, headers, query, body)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        kind = "text/html" if isinstance(answer, bytes) else "application/json;charset=utf-8"
        fields = {"content-type": kind, **extra}
        listed = [(k.encode(), v.encode()) for k, v in fields.items()]
        await send({"type": "http.response.start", "status": status, "headers": listed})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Json, headers: Json, query: Json, body: bytes) -> Answer:
        method, path = scope["method"], scope["path"]
        self.asked.append((method, path))
        if self.faults:
            fault = self.faults.popleft()
            if not isinstance(fault, float):
                return fault
            await asyncio.sleep(fault)
        pipedrive = path.startswith("/api/v2/")
        given = headers.get("x-api-token" if pipedrive else "authorization", "")
        if given.removeprefix("Bearer ") != self.token:
            return _unauthorized(pipedrive=pipedrive)
        if self._over_limit():
            return _too_many(pipedrive=pipedrive)
        document = json.loads(body) if body else {}
        if pipedrive:
            return self._pipedrive(method, path.removeprefix("/api/v2/"), query, document)
        return self._hubspot(method, path, query, document)

    def _over_limit(self) -> bool:
        """Count calls in a window of one second that rolls."""
        now = self.clock()
        while self._calls and now - self._calls[0] >= 1:
            self._calls.popleft()
        if self.limit and len(self._calls) >= self.limit:
            return True
        self._calls.append(now)
        return False

    # HubSpot ----------------------------------------------------------------------------------

    def _hubspot(self, method: str, path: str, query: Json, document: Json) -> Answer:
        parts = path.strip("/").split("/")
        match method, parts:
            case "GET", ["crm", "v3", "objects", "deals", number]:
                return self._deal(number, query)
            case "PATCH", ["crm", "v3", "objects", "deals", number]:
                return self._patch(number, document["properties"])
            case "POST", ["crm", "v3", "objects", kind, "batch", "read"]:
                return self._batch(kind, document)
            case "GET", ["crm", "v4", "objects", "deals", number, "associations", kind]:
                return self._associations(number, kind, query)
            case "GET", ["tax-rates", "v1", "tax-rates", number]:
                found = self.objects.get("tax_rates", {}).get(number)
                return (200, {}, found) if found else _missing()
        return _missing()

    def _deal(self, number: str, query: Json) -> Answer:
        deal = self.objects.get("deals", {}).get(number)
        if deal is None:
            return _missing()
        known = deal.get("associations", {})
        listed = {}
        for kind, group in known.items():
            results = group["results"]
            listed[kind] = {"results": results[: self.page]}
            if len(results) > self.page:
                listed[kind]["paging"] = {"next": {"after": results[self.page]["id"], "link": "x"}}
        wanted = query.get("properties", "").split(",")
        return 200, {}, {**_shown(deal, wanted), **({"associations": listed} if listed else {})}

    def _associations(self, number: str, kind: str, query: Json) -> Answer:
        groups = self.objects["deals"][number].get("associations", {})
        results = groups.get(kind.replace("_", " "), groups.get(kind, {"results": []}))["results"]
        first = int(query.get("after", 0))
        page = results[first : first + self.page]
        answer: Json = {
            "results": [
                {
                    "toObjectId": int(one["id"]),
                    "associationTypes": [
                        {"category": "HUBSPOT_DEFINED", "typeId": 19, "label": None}
                    ],
                }
                for one in page
            ]
        }
        if first + self.page < len(results):
            answer["paging"] = {"next": {"after": str(first + self.page), "link": "x"}}
        return 200, {}, answer

    def _batch(self, kind: str, document: Json) -> Answer:
        ids = [one["id"] for one in document["inputs"]]
        if len(ids) > 100:
            return _invalid("You may only request 100 objects at once")
        known = self.objects.get(kind, {})
        found = [
            _shown(known[one], document["properties"]) for one in reversed(ids) if one in known
        ]
        return 200, {}, {"status": "COMPLETE", "results": found, "startedAt": "x"}

    def _patch(self, number: str, properties: Json) -> Answer:
        deal = self.objects.get("deals", {}).get(number)
        if deal is None:
            return _missing()
        if unknown := set(properties) - WRITABLE:
            reason = [
                {
                    "isValid": False,
                    "message": f'Property "{name}" does not exist',
                    "error": "PROPERTY_DOESNT_EXIST",
                    "name": name,
                }
                for name in sorted(unknown)
            ]
            return _invalid(f"Property values were not valid: {json.dumps(reason)}")
        deal["properties"].update(properties)
        self.updates.append((number, properties))
        return 200, {}, {"id": number, "properties": properties, "archived": False}

    # Pipedrive --------------------------------------------------------------------------------

    def _pipedrive(self, method: str, path: str, query: Json, document: Json) -> Answer:
        parts = path.split("/")
        if method == "PATCH" and parts[0] == "deals":
            deal = self.objects.get("p/deals", {}).get(parts[1])
            if deal is None:
                return 404, {}, {"success": False, "error": "Deal not found", "data": None}
            deal["custom_fields"].update(document["custom_fields"])
            self.updates.append((parts[1], document["custom_fields"]))
            return 200, {}, {"success": True, "data": deal}
        if len(parts) == 3 or "ids" in query:
            things = list(self.objects.get(f"p/{path}", {}).values())
            if "ids" in query:
                things = [one for one in things if str(one["id"]) in query["ids"].split(",")]
            first = int(query.get("cursor", 0))
            more = first + self.page if first + self.page < len(things) else None
            cursor = None if more is None else str(more)
            page = things[first : first + self.page]
            return (
                200,
                {},
                {"success": True, "data": page, "additional_data": {"next_cursor": cursor}},
            )
        found = self.objects.get(f"p/{parts[0]}", {}).get(parts[1])
        if found is None:
            return 404, {}, {"success": False, "error": "Not found", "data": None}
        return 200, {}, {"success": True, "data": found}


def _shown(thing: Json, wanted: list[str]) -> Json:
    """Return an object with the properties that were asked for, as HubSpot does."""
    properties = {k: v for k, v in thing["properties"].items() if k in ALWAYS or k in wanted}
    rest = {k: v for k, v in thing.items() if k != "associations"}
    return {**rest, "properties": properties}


def _unauthorized(*, pipedrive: bool) -> Answer:
    if pipedrive:
        return 401, {}, {"success": False, "error": "unauthorized access", "errorCode": 401}
    return (
        401,
        {},
        {
            "status": "error",
            "message": "Authentication credentials not found.",
            "category": "INVALID_AUTHENTICATION",
            "correlationId": "a43683b0-5717-4ceb-80b4-104d02915d8c",
        },
    )


def _too_many(*, pipedrive: bool) -> Answer:
    if pipedrive:
        headers = {
            "x-ratelimit-limit": "10",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": "1",
        }
        return 429, headers, {"success": False, "error": "request over limit", "errorCode": 429}
    headers = {
        "x-hubspot-ratelimit-interval-milliseconds": "1000",
        "x-hubspot-ratelimit-max": "10",
        "x-hubspot-ratelimit-remaining": "0",
    }
    return (
        429,
        headers,
        {
            "status": "error",
            "message": "You have reached your ten_secondly_rolling limit.",
            "errorType": "RATE_LIMIT",
            "correlationId": "c033cdaa-2c40-4a64-ae48-b4cec88dad24",
            "policyName": "TEN_SECONDLY_ROLLING",
        },
    )


def _missing() -> Answer:
    return (
        404,
        {},
        {"status": "error", "message": "resource not found", "category": "OBJECT_NOT_FOUND"},
    )


def _invalid(message: str) -> Answer:
    return 400, {}, {"status": "error", "message": message, "category": "VALIDATION_ERROR"}


class Front:
    """What listens: it passes every request on to the CRM of the test that runs."""

    def __init__(self) -> None:
        self.url = ""
        self.crm = Crm()

    def empty(self) -> Crm:
        """Return a new CRM behind the same address."""
        self.crm = Crm(url=self.url)
        return self.crm

    async def __call__(self, scope: Json, receive: Any, send: Any) -> None:
        """Answer one request (ASGI)."""
        await self.crm(scope, receive, send)


async def connect(database: Database, settings: Settings, channel: str, crm: Crm) -> None:
    """Make a channel of the product a connection to this CRM."""
    vault = Vault(settings)
    said = read_settings({"vendor": "hubspot", "api_url": crm.url}).dump()
    async with database.transaction() as session:
        sealed, at = vault.seal("secret-of-the-webhooks"), datetime.now(UTC)
        await channels.add_if_absent(session, channel, "crm", sealed, at)
        row = await channels.get(session, channel)
        row.settings, row.api_token = said, vault.seal(crm.token)


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Front]:
    """Serve CRMs on this machine, one after the other."""
    crm = Front()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        crm.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(crm, log_level="error", lifespan="off", ws="none")
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        try:
            yield crm
        finally:
            server.should_exit = True
            await running
