"""What every CRM can do for us, and how it says that it cannot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.errors import RefusedError, TryLaterError

JsonObject = Mapping[str, object]
DEAL_ID = re.compile(r"[0-9]{1,20}")


class CrmRefusedError(RefusedError):
    """The CRM refuses, and repeating does not mend it: a token, a deal, a field that is wrong.

    ``status`` is the HTTP status, 0 where there was none.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class CrmBusyError(TryLaterError):
    """The CRM asks for a pause (429, or 503 with Retry-After); ``after`` says how long."""


class CrmAwayError(Exception):
    """The CRM does not answer, or not with sense: it will be asked again."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class DealEvent:
    """One event of a webhook that may have won a deal. ``content`` is the event as it came."""

    deal_id: str
    event: str
    event_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """One call of a webhook as it came in: what a vendor signs differs."""

    method: str
    address: str
    headers: Mapping[str, str]
    body: bytes
    at: datetime


class CrmConnection(Protocol):
    """The API of one CRM account."""

    async def fetch(self, deal_id: str) -> JsonObject:
        """Return the whole deal as ``connectors.shops.crm`` reads it, every object verbatim.

        CrmRefusedError, CrmBusyError or CrmAwayError if it cannot.
        """

    async def update(self, deal_id: str, values: Mapping[str, str]) -> None:
        """Set fields of the deal to these values, named as in ``settings.writes``.

        Doing it again changes nothing. The same errors as ``fetch``.
        """


LONGEST_PAUSE = timedelta(hours=1)
