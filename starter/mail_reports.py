"""Reports about our mails come in: each is stored once, and noted where its mail is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connectors.bounce_webhook import lasting, read_report
from domain.bounce import Bounce
from domain.errors import ConflictError
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
    return await keep(database, bounce, arrival)


async def keep(database: Database, bounce: Bounce, arrival: Arrival) -> str:
    """Keep a report, once, and note it where its mail is; return what became of it, as above."""
    async with database.transaction() as session:
        try:
            if not await intake.remember(session, arrival):
                return "known"
        except ConflictError:  # the same report, signed or worded anew: nobody could mend that
            return "known"
        return "noted" if await bounces.note(session, bounce, arrival.at) else "unknown"
