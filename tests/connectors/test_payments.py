"""The generic payment webhook: one form for every provider's word about money."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from connectors.mapping_docs import json_schema
from connectors.payments import MAPPING, PaymentEventType, PaymentNotice, read_payment
from domain.errors import RefusedError

SCHEMA = Draft202012Validator(json_schema(MAPPING, "payment", ""))
RECEIVED: dict[str, Any] = {
    "event_id": "evt_1",
    "type": "payment.received",
    "provider": "bank",
    "transaction_id": "2026111600017",
    "amount": "119.00",
    "currency": "EUR",
    "valid_on": "2026-11-16",
    "reference": "RE-2026-00001 Brandt",
    "invoice_no": "RE-2026-00001",
    "order_no": "ZT-1001",
    "channel": "zahltag",
    "payer_name": "Brandt & Söhne GmbH",
    "payer_iban": "DE89 3704 0044 0532 0130 00",
}


def test_a_payment_in_full() -> None:
    """Every field."""
    assert SCHEMA.is_valid(RECEIVED)
    assert read_payment(RECEIVED) == PaymentNotice(
        event_id="evt_1",
        type=PaymentEventType.RECEIVED,
        provider="bank",
        transaction_id="2026111600017",
        amount=Decimal("119.00"),
        currency="EUR",
        valid_on=date(2026, 11, 16),
        reference="RE-2026-00001 Brandt",
        invoice_no="RE-2026-00001",
        order_no="ZT-1001",
        channel="zahltag",
        payer_name="Brandt & Söhne GmbH",
        payer_iban="DE89370400440532013000",
    )


def test_only_what_identifies_the_money_is_required() -> None:
    """A payment that names nobody is money all the same."""
    required = set(SCHEMA.schema["required"])
    notice = read_payment({k: RECEIVED[k] for k in required} | {"type": "payment.failed"})

    assert (notice.type, notice.invoice_no, notice.payer_iban) == (PaymentEventType.FAILED, "", "")
    with pytest.raises(RefusedError) as refusal:
        read_payment({})
    assert {problem.field for problem in refusal.value.problems} == required


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": "0.00"}, "amount: expected a number above 0"),
        ({"amount": "-5.00"}, "amount: expected a number above 0"),
        ({"amount": 119}, "amount: expected a number above 0"),
        ({"currency": "XXX"}, "currency: expected a currency"),
        ({"type": "refund"}, "type: expected one of payment.received, payment.failed"),
        ({"valid_on": "2026-02-30"}, "valid_on: expected a date"),
        ({"payer_iban": "DE89370400440532013001"}, "payer_iban: expected an IBAN"),
        ({"invoice": "RE-1"}, "invoice: expected one of the fields event_id"),
    ],
)
def test_each_refusal_says_what_is_expected(changes: dict[str, object], said: str) -> None:
    """With the field, in one sentence."""
    with pytest.raises(RefusedError, match=f"The payment cannot be read: {said}"):
        read_payment(RECEIVED | changes)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([key for key in RECEIVED if key not in {"payer_iban", "valid_on"}]),
    st.none() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=6),
)
def test_schema_and_reader_agree(key: str, value: object) -> None:
    """What the one takes, the other takes."""
    changed = RECEIVED | {key: value}
    try:
        read_payment(changed)
        taken = True
    except RefusedError:
        taken = False

    assert SCHEMA.is_valid(changed) is taken
