"""What a fresh installation starts with: a channel per source, and the rules that ship, paused."""

from __future__ import annotations

from datetime import datetime

from models.settings import Settings
from models.store import channels
from models.store.database import Database
from models.vault import Vault
from starter import rules
from starter.channel_secrets import first_sources, new_secret


async def prepare(database: Database, settings: Settings, at: datetime) -> bool:
    """Make the channels if there is none yet and a key to seal their secrets; ship the rules.

    Return whether there are rules that were not there before.
    """
    await _make_channels(database, settings, at)
    async with database.transaction() as session:
        return await rules.ship(session, at)


async def _make_channels(database: Database, settings: Settings, at: datetime) -> None:
    if not settings.secret_key.get_secret_value():
        return
    vault = Vault(settings)
    async with database.transaction() as session:
        if await channels.list_all(session):
            return
        for source in first_sources():
            sealed = vault.seal(new_secret(source))
            await channels.add_if_absent(session, source, source, sealed, at)
