"""What became of a mail after the server took it: delivered, delayed, failed, complained about."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BounceAction(StrEnum):
    """How it stands with a mail, in the words of RFC 3464; complaints are the webhooks'."""

    FAILED = "failed"
    COMPLAINED = "complained"
    DELAYED = "delayed"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Bounce:
    """One report about one mail of ours.

    ``event_id`` is the same in every retry of the report. ``message_id`` is that of our mail, with
    its <>. ``status`` is an enhanced code (RFC 3463) such as ``5.1.1``; empty if none was named.
    ``diagnostic`` are the server's words, in one line, bounded, without addresses. ``recipients``
    is how many the report speaks of: the worst of them decides.
    """

    event_id: str
    message_id: str
    action: BounceAction
    status: str = ""
    diagnostic: str = ""
    recipients: int = 1

    @property
    def is_final(self) -> bool:
        """Whether the mail will not arrive any more: what it said has to go another way."""
        return self.action is BounceAction.FAILED
