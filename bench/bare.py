"""The least that stores a webhook durably: one route, one insert."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator

import uvicorn
import uvloop
from fastapi import FastAPI, Request

from bench.pool import open_pool
from models.settings import Settings

TABLE = """
create table bare (id bigint generated always as identity primary key, body bytea not null,
  received_at timestamptz not null default now())
"""


def make_app(settings: Settings) -> FastAPI:
    """Return an application with one route; it checks nothing."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        url = settings.database_url.get_secret_value()
        async with open_pool(url, settings.database_pool) as pool:
            app.state.pool = pool
            yield

    app = FastAPI(lifespan=lifespan, openapi_url=None)

    @app.post("/webhooks/{channel}")
    async def take(channel: str, request: Request) -> dict[str, str]:
        body = await request.body()
        await request.app.state.pool.execute("insert into bare (body) values ($1)", body)
        return {"channel": channel}

    return app


async def main() -> None:
    """Serve on the port of the command line until SIGTERM, with the API's own server settings."""
    config = uvicorn.Config(
        make_app(Settings()),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        server_header=False,
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(main())
