"""What every shop connector can do, and what an outside document can turn out to be."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from domain.errors import RefusedError

if TYPE_CHECKING:
    from datetime import datetime

    from domain.order import Order

JsonObject = Mapping[str, object]
NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """The document carries an order in full."""

    order: Order


@dataclass(frozen=True, slots=True)
class OrderReference:
    """The document only names an order to which ``event`` happened: it must be fetched."""

    external_id: str
    event: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """The document is genuine and well-formed, but no business of ours; ``reason`` says why."""

    reason: str


ShopEvent = OrderEvent | OrderReference | Ignored


class ShopConnector(Protocol):
    """One shop system: checks its signatures and reads its documents. No I/O, no clock."""

    source: str

    def verify(self, headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
        """Check the sender's signature over the raw body; ``SignatureError`` if it is not right."""

    def event_id(self, headers: Mapping[str, str], document: JsonObject) -> str:
        """Return the id of this event, the same for every retry of its delivery."""

    def read(
        self, document: JsonObject, *, channel: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> ShopEvent:
        """Say what the document is; ``RefusedError`` names everything that is wrong with its shape.

        What is only missing for business (an e-mail address, a tax rate) is no error here: the
        order has gaps, and ``domain.validation`` says which.
        """


def content_id(document: JsonObject) -> str:
    """Return an id made of the content: where a delivery names none, equal content is one event."""
    try:
        text = json.dumps(document, sort_keys=True, ensure_ascii=True, default=str)
    except RecursionError as error:
        raise RefusedError("The document is nested too deeply to be an order.") from error
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def is_ping(body: bytes) -> bool:
    """Say whether this is what WooCommerce posts when a webhook is created: ``webhook_id=NN``."""
    return re.fullmatch(rb"webhook_id=[0-9]{1,20}", body) is not None


def parse_document(body: bytes) -> JsonObject:
    """Read a body as one JSON object, numbers exactly as written; RefusedError for anything else.

    WooCommerce's ping of a new webhook is no JSON but the form field ``webhook_id=NN``: it comes
    back as an object with that one field.
    """
    if is_ping(body):
        return {"webhook_id": body.partition(b"=")[2].decode()}
    try:
        document = json.loads(body, parse_float=_exact, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        detail = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
        raise RefusedError(f"The document is not JSON{detail}; send one JSON object.") from error
    if not isinstance(document, dict):
        raise RefusedError("The document is JSON but no object; send one order as a JSON object.")
    return document


def _exact(number: str) -> Decimal:
    """Keep 19.90 as it was written: a binary float would not."""
    return Decimal(number)


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is no number in JSON")
