"""Reports about our mails come in: each is stored once, and noted where its mail is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connectors.bounce_webhook import lasting, read_report
from models.store import intake
from models.store.database import Database
from models.store.dunning import bounces
from models.store.intake import Arrival


async def take_report(
    database: Database, source: str, document: Mapping[str, object], *, channel: str, at: datetime
) -> str:
    """Take in what a mail service posted, its proof checked already; return what became of it.

    ``ignored``: it concerns nobody here; ``unknown``: no mail of ours; ``known``: a repetition.
    """
    bounce = read_report(source, document)
    if bounce is None:
        return "ignored"
    arrival = Arrival(
        channel=channel,
        event_id=bounce.event_id,
        kind="mail_report",
        body=lasting(source, document),
        at=at,
        by=f"channel {channel}",
    )
    async with database.transaction() as session:
        if not await intake.remember(session, arrival):
            return "known"
        return "noted" if await bounces.note(session, bounce, at) else "unknown"
