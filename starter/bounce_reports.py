"""Takes in what mail servers and mail services report about our mails, each report once.

It may lead to a letter or a task, never to money: whoever knows a Message-ID of ours could write
such a report. What is about other mails is thanked for and forgotten.
"""

from __future__ import annotations

from connectors.bounces import Bounce, BounceAction
from domain.errors import ConflictError
from models.store import intake
from models.store.database import Database
from models.store.dunning import bounces
from models.store.intake import Arrival

NOTED, KNOWN, IGNORED = "noted", "known", "ignored"


async def take_report(database: Database, bounce: Bounce, arrival: Arrival) -> str:
    """Keep a report and tell the case of its mail; return what became of it.

    ``known``: it came before. ``ignored``: the mail is none of ours, or it was delivered.
    """
    async with database.transaction() as session:
        try:
            if not await intake.remember(session, arrival):
                return KNOWN
        except ConflictError:  # the same report, signed or worded anew: nobody could mend that
            return KNOWN
        if bounce.action is BounceAction.DELIVERED:
            return IGNORED
        noted = await bounces.note(
            session,
            event_id=f"{arrival.channel}:{bounce.event_id}",
            message_id=bounce.message_id,
            action=bounce.action.value,
            status=bounce.status,
            at=arrival.at,
        )
        return NOTED if noted else IGNORED
