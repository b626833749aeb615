"""The generic payment webhook: any provider, bank or till may tell us of money in one form.

docs/schemas/payment.schema.json is made from this mapping. Signed as Standard Webhooks says
(``connectors.signatures.verify_standard``). What is reported is a fact about money that moved or
failed to move; which invoice it settles is decided later, from all facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from stdnum import iban

from connectors.conversions import CURRENCY, DAY, POSITIVE, Conversion, exact, one_of, text
from connectors.mapping import Field, Row, read_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from decimal import Decimal


class PaymentEventType(StrEnum):
    """What happened to the money."""

    RECEIVED = "payment.received"
    FAILED = "payment.failed"


@dataclass(frozen=True, slots=True)
class PaymentNotice:
    """One notice of money. ``provider`` and ``transaction_id`` identify the movement for ever.

    ``amount`` is positive for a failed attempt too: it is what was tried. Whom it is for is said by
    invoice number, by order number (with its channel), or only by the text ``reference``
    (Verwendungszweck); empty strings stand for what was not said.
    """

    event_id: str
    type: PaymentEventType
    provider: str
    transaction_id: str
    amount: Decimal
    currency: str
    valid_on: date
    reference: str = ""
    invoice_no: str = ""
    order_no: str = ""
    channel: str = ""
    payer_name: str = ""
    payer_iban: str = ""


def _iban(value: object) -> str:
    if not isinstance(value, str) or not iban.is_valid(value):
        raise ValueError
    return iban.compact(value)


_IBAN = Conversion(
    "an IBAN with right check digits",
    _iban,
    {"type": "string", "pattern": "^[A-Z]{2}[0-9]{2}[A-Za-z0-9 ]{10,36}$"},
    empty="",
)
_TYPES = one_of({kind.value: kind for kind in PaymentEventType})

MAPPING: tuple[Row, ...] = (
    Field("event_id", "event_id", text(200), required=True, says="the same in every retry"),
    Field("type", "type", _TYPES, required=True),
    Field("provider", "provider", text(100), required=True, says="such as stripe, paypal, bank"),
    Field("transaction_id", "transaction_id", text(200), required=True, says="of the movement"),
    Field("amount", "amount", exact(POSITIVE), required=True),
    Field("currency", "currency", CURRENCY, required=True),
    Field("valid_on", "valid_on", DAY, required=True, says="the value date (Wertstellung)"),
    Field("reference", "reference", text(500), says="the text that came with the money"),
    Field("invoice_no", "invoice_no", text(64)),
    Field("order_no", "order_no", text(64)),
    Field("channel", "channel", text(64), says="of the order number"),
    Field("payer_name", "payer_name"),
    Field("payer_iban", "payer_iban", _IBAN),
)


def read_payment(document: Mapping[str, object]) -> PaymentNotice:
    """Read a notice; RefusedError names every problem of its shape at once."""
    record = read_document(document, MAPPING, "payment", strict=True)
    return PaymentNotice(
        event_id=record.text("event_id"),
        type=record.value("type", PaymentEventType),
        provider=record.text("provider"),
        transaction_id=record.text("transaction_id"),
        amount=record.amount("amount"),
        currency=record.text("currency"),
        valid_on=record.day("valid_on"),
        reference=record.text("reference"),
        invoice_no=record.text("invoice_no"),
        order_no=record.text("order_no"),
        channel=record.text("channel"),
        payer_name=record.text("payer_name"),
        payer_iban=record.text("payer_iban"),
    )
