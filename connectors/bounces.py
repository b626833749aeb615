"""What reports about our mails have in common, whoever tells: codes, words, Message-IDs.

A report comes as a mail (``connectors.bounce_mail``) or by a mail service's webhook
(``connectors.bounce_webhook``). Anybody can write such a mail who knows a Message-ID of ours, and
only the recipient does: it may lead to a letter or a task, never to money.
"""

from __future__ import annotations

import re

from connectors.mail import without_addresses
from domain.bounce import BounceAction

DIAGNOSTIC_LENGTH = 300
_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\d.])([45])[0-5]\d(?![\d.]*\d)")
_MESSAGE_ID = re.compile(r"<[^<>\s@]{1,200}@[^<>\s@]{1,250}>")


_WORST_FIRST = tuple(BounceAction)


def worst(actions: list[BounceAction]) -> BounceAction:
    """Return the action that counts for all of several recipients."""
    return min(actions, key=_WORST_FIRST.index)


def enhanced_status(text: str) -> str:
    """Find an enhanced code in a server's words; ``550`` alone counts as ``5.0.0``."""
    found = _STATUS.search(text)
    if found:
        return found[0]
    reply = _REPLY.search(text)
    return f"{reply[1]}.0.0" if reply else ""


def action_of_status(status: str) -> BounceAction | None:
    """Return what the class of an enhanced code says: 2 delivered, 4 not yet, 5 never."""
    classes = {"2": BounceAction.DELIVERED, "4": BounceAction.DELAYED, "5": BounceAction.FAILED}
    return classes.get(status[:1])


def diagnostic(text: str) -> str:
    """Return a server's words as they may be stored and logged."""
    kept = (each if each.isprintable() else " " for each in text[: 4 * DIAGNOSTIC_LENGTH])
    return without_addresses("".join(kept))[:DIAGNOSTIC_LENGTH].rstrip()


def message_id(text: str) -> str:
    """Return the first Message-ID in a text, with its <>; empty if there is none."""
    found = _MESSAGE_ID.search(text)
    return found[0] if found and found[0].isprintable() else ""
