"""Run the API: ``python -m starter.api``; SIGTERM lets it finish what it has begun."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import uvicorn
import uvloop

from models.settings import Settings
from models.store.database import Database
from starter.api.app import make_app
from starter.logs import configure_logs
from starter.loop import settle
from starter.metrics import meter_of, runtime_of
from starter.services import connect_when_needed

GRACE_SECONDS = 15


class _Server(uvicorn.Server):
    """Uvicorn that leaves ``serve`` when it is told to stop, so that what follows is run too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def main() -> None:
    """Serve until SIGTERM."""
    settings = Settings()
    configure_logs(settings)
    database = Database.connect(settings)
    runtime = runtime_of(settings, "api")
    config = uvicorn.Config(
        make_app(settings, database, connect_when_needed(settings, runtime), meter_of(runtime)),
        host=settings.api_host,
        port=settings.api_port,
        log_config=None,
        access_log=False,  # addresses name customers and invoices
        server_header=False,
        proxy_headers=False,  # nothing here trusts what a header says of the caller
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    settle()
    try:
        await _Server(config).serve()
    finally:
        await database.close()


if __name__ == "__main__":
    uvloop.run(main())
