"""Puts the API together: layers, routes, and what a fresh installation starts with."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.common import MetricMeter

from models.settings import Settings
from models.store.database import Database
from starter.api.auth import TokenGate
from starter.api.codec_door import CodecDoor
from starter.api.errors import Guard, add_handlers
from starter.api.limits import BodyLimit
from starter.api.names import SlashesInNames
from starter.api.routes import ROUTERS, imports
from starter.api.webhooks import PREFIX, webhook_door
from starter.connections import Connections
from starter.first_start import prepare
from starter.intake_desk import Desk
from starter.schedules import follow
from starter.services import Connect, Services, connect_when_needed, now

log = structlog.get_logger("api")

RETRY_SECONDS = 2.0
FIRST_START_SECONDS = 5.0


class Api(FastAPI):
    """The application; what is sent to ``/webhooks/`` takes a shorter way."""

    webhooks_door: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a webhook in by its door, and everything else by the routes."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self.webhooks_door(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def make_app(
    settings: Settings,
    database: Database,
    temporal_client: Connect | None = None,
    meter: MetricMeter = MetricMeter.noop,
) -> Api:
    """Return the application.

    ``temporal_client`` gives a connected client when one is needed; ``meter`` counts webhooks.
    """
    connect = temporal_client or connect_when_needed(settings)
    app = Api(
        title="Zahltag",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        # As they are: an included router makes each of its routes anew at the first call. So what
        # FastAPI takes for all routes (dependencies, responses) does not reach them.
        routes=[route for router in ROUTERS for route in router.routes],
    )
    connections = Connections(database, settings)
    services = Services(settings, database, connect, connections, Desk(database))
    app.state.services, app.webhooks_door = services, webhook_door(services, meter)
    add_handlers(app)
    # The last one added is the outermost.
    app.add_middleware(SlashesInNames)
    app.add_middleware(
        BodyLimit,
        limit=settings.max_body_bytes,
        by_path=dict.fromkeys(
            (imports.OPEN_ITEMS, imports.ACCOUNT_MANAGERS), settings.max_import_bytes
        ),
    )
    app.add_middleware(TokenGate, token=settings.api_token)
    app.add_middleware(CodecDoor, settings=settings)
    app.add_middleware(Guard)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Prepare a fresh installation; a database that is away does not keep the API from starting."""
    preparing = asyncio.create_task(_prepare(app.state.services))
    await asyncio.wait({preparing}, timeout=FIRST_START_SECONDS)
    yield
    preparing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await preparing


async def _prepare(services: Services) -> None:
    while True:
        try:
            shipped = await prepare(services.database, services.settings, now())
        except Exception as error:  # noqa: BLE001 - it must outlive every outage
            log.warning("the first start is not complete yet", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            if shipped:
                await follow(services)
            return
