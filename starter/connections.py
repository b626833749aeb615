"""What a webhook needs to know before it can be checked: its channel, the secret, the company.

Every webhook asks for it and it hardly ever changes, so it is kept for two seconds. What changes
through this process's own API counts at once.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from domain.company import Company
from domain.errors import NotReadyError, RefusedError
from models.settings import Settings
from models.store import channels, company
from models.store.database import Database
from models.vault import Vault
from starter.channel_secrets import sources

SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Connection:
    """A channel that may receive: what it is a connection to, its secret, and whose it is."""

    source: str
    secret: str
    firm: Company


class Connections:
    """The connections of one process."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings
        self._known: dict[str, tuple[float, Connection]] = {}
        self._reading: dict[str, asyncio.Task[Connection]] = {}

    async def of(self, channel: str) -> Connection:
        """Return a channel's connection, as it was at most two seconds ago.

        NotFoundError if there is none of that name, NotReadyError if it cannot receive yet.
        """
        until, connection = self._known.get(channel, (0.0, None))
        if connection is not None and time.monotonic() < until:
            return connection
        if channel not in self._reading:  # one reads, the others take what it finds
            self._reading[channel] = asyncio.create_task(self._renew(channel))
        return await asyncio.shield(self._reading[channel])

    def forget(self) -> None:
        """Read everything anew from now on: a channel or the company was changed."""
        self._known.clear()
        self._reading.clear()  # what is being read now may be older than the change

    async def _renew(self, channel: str) -> Connection:
        until, me = time.monotonic() + SECONDS, asyncio.current_task()
        try:
            connection = await self._read(channel)
            if self._reading.get(channel) is me:
                self._known[channel] = (until, connection)
            return connection
        finally:
            if self._reading.get(channel) is me:
                del self._reading[channel]

    async def _read(self, channel: str) -> Connection:
        async with self._database.transaction() as session:
            row = await channels.get(session, channel)
            firm = await company.find(session)
        if firm is None:
            raise NotReadyError("No company is set yet: nothing can be taken in before.")
        if row.source not in sources():
            raise NotReadyError(f"Nothing here reads what {row.source} sends.")
        try:
            secret = Vault(self._settings).open(row.secret)
        except RefusedError as problem:  # ours to mend, not the sender's: it shall try again
            raise NotReadyError(problem.message) from problem
        return Connection(row.source, secret, firm)
